import { explore, generatedTape, runScenario } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { placementScenario } from './placement.ts';

test('clusters of all shapes come to rest, balanced and spread, and stay there', async () => {
  const { finding, coverage } = await explore({
    scenario: placementScenario,
    from: 301,
    seeds: 2,
    repeatEvery: 300,
  });
  expect(finding?.result.violation ?? null).toBeNull();
  expect(coverage.get('promote')).toBeGreaterThan(100);
  expect(coverage.get('replace-lost')).toBeGreaterThan(0);
});

test('seed 228: a shard is not brought beside a neighbour that has to leave', async () => {
  const { violation } = await runScenario(placementScenario, generatedTape(228));
  expect(violation).toBeNull();
});

test('seed 113: the only replica of a shard leaves a draining node with its office', async () => {
  const { violation } = await runScenario(placementScenario, generatedTape(113));
  expect(violation).toBeNull();
});
