import { explore, generatedTape, runScenario, type Scenario } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { shardedScenarios, transactionScenarios } from './transactions.ts';

// A bounded form: `npx flotilla simulate --scenario bank --seeds 4000` and so on. What is not here is played over shards
// in memory.
for (const name of ['bank', 'list-append', 'write-skew', 'phantom']) {
  test(`${name}: under faults what all clients are told is one strictly serializable history`, async () => {
    const scenario = named(transactionScenarios, name);
    const { finding, coverage } = await explore({ scenario, from: 1, seeds: 1, repeatEvery: 0 });
    expect(finding?.result.violation ?? null).toBeNull();
    expect(coverage.get('errand')).toBeGreaterThan(50);
    expect(coverage.get('calls judged')).toBeGreaterThan(50);
  });
}

test('seed 4: a node that missed how shards came and went is where they are in the end', async () => {
  const scenario = named(shardedScenarios, 'sharded-list-append');
  const { violation, coverage } = await runScenario(scenario, generatedTape(4));
  expect(violation).toBeNull();
  expect(coverage['change of shards taken']).toBeGreaterThan(5);
});

function named(scenarios: readonly Scenario[], wanted: string): Scenario {
  return scenarios.find(({ name }) => name === wanted) as Scenario;
}
