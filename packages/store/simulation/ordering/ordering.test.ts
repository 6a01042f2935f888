import { explore } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { orderingScenario } from './ordering.ts';

test('many shards answer as one database, whatever happens to them', async () => {
  const { finding, coverage } = await explore({
    scenario: orderingScenario,
    from: 1,
    seeds: 12,
    repeatEvery: 10,
  });
  expect(finding?.result.violation ?? null).toBeNull();
  for (const met of [
    'split',
    'absorbed a neighbour of this node',
    'move of a replica',
    'lease removed',
    'crash',
  ]) {
    expect([met, coverage.get(met) > 2]).toEqual([met, true]);
  }
  expect(coverage.get('transaction committed')).toBeGreaterThan(25);
  expect(coverage.get('revision')).toBeGreaterThan(60);
});
