import { explore, type Scenario } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { shardedScenarios, transactionScenarios } from './transactions.ts';

// A bounded form: `npx flotilla simulate --scenario bank --seeds 4000` and so on. What is not here is played over shards
// in memory.
for (const name of ['list-append', 'phantom']) {
  test(`${name}: under faults what all clients are told is one strictly serializable history`, async () => {
    const scenario = transactionScenarios.find((each) => each.name === name) as Scenario;
    const { finding, coverage } = await explore({ scenario, from: 1, seeds: 1, repeatEvery: 0 });
    expect(finding?.result.violation ?? null).toBeNull();
    expect(coverage.get('errand')).toBeGreaterThan(50);
    expect(coverage.get('calls judged')).toBeGreaterThan(50);
  });
}

for (const [name, seed] of [
  ['sharded-bank', 4],
  ['sharded-write-skew', 2],
] as const) {
  test(`${name}: the same over shards that are split, merged and moved in whole members under faults`, async () => {
    const scenario = shardedScenarios.find((each) => each.name === name) as Scenario;
    const { finding, coverage } = await explore({ scenario, from: seed, seeds: 1, repeatEvery: 0 });
    expect(finding?.result.violation ?? null).toBeNull();
    expect(coverage.get('change of shards taken')).toBeGreaterThan(1);
    expect(coverage.get('calls judged')).toBeGreaterThan(20);
    expect(coverage.get('watches judged')).toBeGreaterThan(2);
  });
}
