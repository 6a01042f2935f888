// Plays the courses' tests of a key-value service over real processes, with the catalogue's full counts.
//
//   npm run soak:kv-process -- [--rounds 10] [--only 44] [--bounded]
import { parseArgs } from 'node:util';
import { KvProcessLab } from './kv-process-lab.ts';
import { boundedScale, clusterOptions, fullScale, type KvProcessScenario } from './kv-process-scenario.ts';
import { kvProcessScenarios } from './kv-scenarios.ts';
import { ProcessCluster } from './process-cluster.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    // A number, with all of its forms: 39 is 39 (unreliable), too.
    only: { type: 'string', default: '' },
    // Without thresholds of time, too.
    bounded: { type: 'boolean', default: false },
  },
});
const asked = kvProcessScenarios.filter(
  ({ number }) => values.only === '' || number === values.only || number.startsWith(`${values.only} (`),
);
let failed = 0;
for (let round = 1; round <= Number(values.rounds); round += 1) await playRound(round);
console.log(`${failed} failed`);
process.exitCode = failed === 0 && asked.length > 0 ? 0 : 1;

/** Those that need the same kind of cluster share one, until one of them fails. */
async function playRound(round: number): Promise<void> {
  const kinds = new Map<string, KvProcessScenario[]>();
  for (const scenario of asked) {
    const kind = JSON.stringify(scenario.cluster);
    kinds.set(kind, [...(kinds.get(kind) ?? []), scenario]);
  }
  for (const scenarios of kinds.values()) {
    let cluster: ProcessCluster | null = null;
    for (const scenario of scenarios) {
      cluster ??= await ProcessCluster.start(clusterOptions(scenario.cluster));
      if (await play(scenario, cluster, round)) continue;
      await cluster.remove();
      cluster = null;
    }
    await cluster?.remove();
  }
}

async function play(scenario: KvProcessScenario, cluster: ProcessCluster, round: number): Promise<boolean> {
  const lab = new KvProcessLab(cluster, round, !values.bounded);
  const begin = performance.now();
  const name = `round ${round}, scenario ${scenario.number}`;
  try {
    await scenario.play(lab, values.bounded ? boundedScale : fullScale);
    await lab.judge();
    const measures = lab.worst.map(
      ({ what, value, limit, unit }) => `${what} ${value.toFixed(1)} of ${limit} ${unit}`,
    );
    const seconds = ((performance.now() - begin) / 1_000).toFixed(1);
    console.log(`${name}: ok in ${seconds} s; ${[...measures, ...lab.notes].join(', ')}`);
    return true;
  } catch (error) {
    failed += 1;
    console.log(`${name} FAILED: ${String((error as Error).stack)}\n${cluster.logs()}`);
    return false;
  }
}
