// Plays scenarios 49 to 67 of the catalogue that are marked for it over real processes, at full length.
//
//   npm run soak:sharded-process -- [--rounds 3] [--only 63] [--seed 1] [--patience 1] [--nodes 3]
//
// With more patience members and their clients wait longer for each other, and thresholds of time are as many times
// higher: on a machine that is busy with something else they say nothing.
import { parseArgs } from 'node:util';
import { fromEventLoop } from '@flotilla/sim';
import { LabStopped } from '../../../simulation/scenarios/lab-stopped.ts';
import { shardedScenarios } from '../../../simulation/scenarios/sharded/all.ts';
import type { ShardedScenario } from '../../../simulation/scenarios/sharded/sharded-lab.ts';
import { Outside } from './outside.ts';
import { ProcessShardedLab } from './process-sharded-lab.ts';

/** The catalogue's [SP]; the others count messages and bytes, or replay what only a simulator can. */
const overProcesses: readonly number[] = [52, 53, 54, 55, 56, 57, 58, 60, 61, 62, 63, 64];
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    // A number, with all of its forms: 62 is 62 (10 clients), too.
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    patience: { type: 'string', default: '1' },
    // Of a group; the catalogue says three. With one there are less than half as many processes.
    nodes: { type: 'string', default: '3' },
  },
});
/** Some nodes of each group are down there, and the others go on. */
const ofSeveralNodes: readonly number[] = [56];
const asked = shardedScenarios.filter(({ number }) => {
  const plain = Number(number.split(' ')[0]);
  const isAsked = values.only === '' || number === values.only || number.startsWith(`${values.only} (`);
  const isPossible = Number(values.nodes) > 1 || !ofSeveralNodes.includes(plain);
  return overProcesses.includes(plain) && isAsked && isPossible;
});
let failed = 0;
for (let round = 0; round < Number(values.rounds); round += 1) {
  for (const scenario of asked) await play(scenario, Number(values.seed) + round);
}
console.log(`${failed} failed`);
process.exitCode = failed === 0 && asked.length > 0 ? 0 : 1;

async function play(scenario: ShardedScenario, seed: number): Promise<void> {
  const name = `seed ${seed}, scenario ${scenario.number}`;
  const begin = performance.now();
  const outside = await Outside.open();
  const options = { ...scenario.options, nodesOfAGroup: Number(values.nodes) };
  const lab = new ProcessShardedLab(outside, options, seed, Number(values.patience));
  try {
    await fromEventLoop(() => scenario.play(lab));
    const measures = lab.worst.map(
      ({ what, value, limit, unit }) => `${what} ${value.toFixed(0)} of ${limit} ${unit}`,
    );
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    console.log(`${name}: ok in ${seconds} s; ${measures.join(', ')}`);
  } catch (error) {
    failed += 1;
    const text = error instanceof LabStopped ? error.message : String((error as Error).stack);
    console.log(`${name} FAILED: ${text}`);
  }
  try {
    await fromEventLoop(() => outside.command({ kind: 'remove' }, 60_000));
  } finally {
    await outside.close();
  }
}
