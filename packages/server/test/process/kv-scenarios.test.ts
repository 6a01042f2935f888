import { afterAll, beforeAll, describe, test } from 'vitest';
import { KvProcessLab } from './kv-process-lab.ts';
import { boundedScale, kvProcessScenarios } from './kv-scenarios.ts';
import { ProcessCluster } from './process-cluster.ts';

// Full counts, and thresholds of time, are those of `npm run soak:kv-process`.
describe('the courses’ tests of a key-value service, over real processes', () => {
  let cluster: ProcessCluster;

  beforeAll(async () => {
    cluster = await ProcessCluster.start();
  }, 60_000);

  afterAll(() => cluster.remove());

  for (const scenario of kvProcessScenarios) {
    test(`scenario ${scenario.number}: ${scenario.title}`, async () => {
      const lab = new KvProcessLab(cluster, 1, false);
      await scenario.play(lab, boundedScale);
      lab.judge();
    }, 120_000);
  }
});
