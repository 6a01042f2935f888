import { simulateKeyValue } from './examples/key-value/simulation.ts';
const world = { delayMaxMs: 10, lossPerMille: 3, splitPerMille: 20, joinPerMille: 20, syncMinMs: 20, syncMaxMs: 60 };
for (const m of ['', 'chunk-is-line', 'ack-before-sync', 'copy-twice']) {
  const t = Date.now();
  try { const r = await simulateKeyValue(m, { world, seeds: m === '' ? 200 : 60, strategy: 'random', tapeDirectory: null, shrinkMs: Infinity, shrinkRuns: 150, repeatEvery: 10 }); console.log(m, 'clean', r.seeds, r.events, JSON.stringify(r.coverage)); }
  catch (e) { console.log(m, (e as Error).stack?.slice(0, 2500)); }
  console.log(Date.now() - t, 'ms');
}
