import { afterAll, beforeAll, describe, test } from 'vitest';
import { KvProcessLab } from './kv-process-lab.ts';
import { boundedScale, clusterOptions, three } from './kv-process-scenario.ts';
import { kvProcessScenarios } from './kv-scenarios.ts';
import { ProcessCluster } from './process-cluster.ts';

/** Kills, cuts, snapshots and lost messages, each once, on one cluster. */
const selected = ['34', '37', '44', '46 (table)', '47 (10, unreliable)'];

// All others, full counts, and thresholds of time, are those of `npm run soak:kv-process`.
describe('the courses’ tests of a key-value service, over real processes', () => {
  let cluster: ProcessCluster;

  beforeAll(async () => {
    cluster = await ProcessCluster.start(clusterOptions(three));
  }, 60_000);

  afterAll(() => cluster.remove());

  for (const scenario of kvProcessScenarios.filter(({ number }) => selected.includes(number))) {
    test(`scenario ${scenario.number}: ${scenario.title}`, async () => {
      const lab = new KvProcessLab(cluster, 1, false);
      await scenario.play(lab, boundedScale);
      await lab.judge();
    }, 120_000);
  }
});
