// Plays the courses' tests of a key-value service over real processes, with the catalogue's full counts.
//
//   npm run soak:kv-process -- [--rounds 10] [--only 44] [--bounded]
import { parseArgs } from 'node:util';
import { KvProcessLab } from './kv-process-lab.ts';
import { boundedScale, fullScale, kvProcessScenarios } from './kv-scenarios.ts';
import { ProcessCluster } from './process-cluster.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    bounded: { type: 'boolean', default: false },
  },
});
let failed = 0;
for (let round = 1; round <= Number(values.rounds); round += 1) {
  const cluster = await ProcessCluster.start();
  try {
    for (const scenario of kvProcessScenarios) {
      if (values.only !== '' && values.only !== scenario.number) continue;
      const lab = new KvProcessLab(cluster, round, !values.bounded);
      try {
        await scenario.play(lab, values.bounded ? boundedScale : fullScale);
        lab.judge();
        const measures = lab.measures.map(
          ({ what, value, limit, unit }) => `${what} ${value.toFixed(1)} of ${limit} ${unit}`,
        );
        console.log(`round ${round}, scenario ${scenario.number}: ok ${measures.join(', ')}`);
      } catch (error) {
        failed += 1;
        console.log(`round ${round}, scenario ${scenario.number} FAILED: ${String((error as Error).stack)}`);
      }
    }
  } finally {
    await cluster.remove();
  }
}
process.exitCode = failed === 0 ? 0 : 1;
