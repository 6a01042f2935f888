import { describeFaults, generatedTape, runScenario } from '@flotilla/sim';
import { scenarios } from '../index.ts';
const scenario = scenarios.get('cluster')!;
const from = Number(process.argv[2] ?? 0),
  count = Number(process.argv[3] ?? 1);
const verbose = process.argv[4] === 'v';
let events = 0;
const start = performance.now();
let bad = 0;
for (let seed = from; seed < from + count; seed += 1) {
  const t = performance.now();
  const r = await runScenario(scenario, generatedTape(seed));
  events += r.events;
  const ms = performance.now() - t;
  if (r.violation) bad++;
  if (verbose || r.violation)
    console.log(
      seed,
      r.violation
        ? 'VIOLATION ' +
            r.violation.name +
            ' ' +
            r.violation.node +
            ' @' +
            r.violation.timeMs.toFixed(1) +
            ' ' +
            r.violation.message.slice(0, 600)
        : 'ok',
      r.events,
      'events',
      (r.simulatedMs / 1000).toFixed(1) + 's',
      ms.toFixed(0) + 'ms',
      r.traceHash,
    );
  if (verbose && r.violation) {
    console.log(r.violation.stack?.split('\n').slice(0, 8).join('\n'));
    console.log(describeFaults(r.faults));
    console.log(JSON.stringify(r.coverage));
  }
}
console.log(
  'bad',
  bad,
  'of',
  count,
  'events/s',
  Math.round(events / ((performance.now() - start) / 1000)),
  'ms/seed',
  Math.round((performance.now() - start) / count),
  'cpu',
  process.cpuUsage().user / 1e3 / count,
);
