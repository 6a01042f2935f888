import { expect, test } from 'vitest';
import { shardedScenarios } from './all.ts';

test('every scenario of the catalogue about shards is there', () => {
  const numbers = new Set(shardedScenarios.map(({ number }) => Number(number.split(' ')[0])));
  expect([...numbers]).toEqual(Array.from({ length: 19 }, (_, i) => 49 + i));
  expect(new Set(shardedScenarios.map(({ number }) => number)).size).toBe(shardedScenarios.length);
});
