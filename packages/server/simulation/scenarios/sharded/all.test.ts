import { expect, test } from 'vitest';
import { shardedScenarios } from './all.ts';
import { runShardedScenario } from './run-sharded-scenario.ts';
import type { ShardedScenario } from './sharded-lab.ts';

test('every scenario of the catalogue about shards is there', () => {
  const numbers = new Set(shardedScenarios.map(({ number }) => Number(number.split(' ')[0])));
  expect([...numbers]).toEqual(Array.from({ length: 19 }, (_, i) => 49 + i));
  expect(new Set(shardedScenarios.map(({ number }) => number)).size).toBe(shardedScenarios.length);
});

// A bounded form: `npm run soak:kv-scenarios -- --only 49,50` and so on plays all of them, over many seeds.
test('one of two groups is down: exactly its shards are silent, and all is there when it is back', async () => {
  const scenario = shardedScenarios.find(({ number }) => number === '53') as ShardedScenario;
  const { violation } = await runShardedScenario(scenario, 1);
  expect(violation?.message ?? null).toBeNull();
});
