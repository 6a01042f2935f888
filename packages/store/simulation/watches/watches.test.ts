import { generatedTape } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { WatchedShards } from './watched-run.ts';

test('watches of many shards see one history, whatever happens to the shards', async () => {
  const met = new Map<string, number>();
  for (const seed of [4, 6]) {
    const { violation, coverage } = await new WatchedShards(generatedTape(seed)).run();
    expect(violation).toBeNull();
    for (const [name, count] of Object.entries(coverage.toJSON()))
      met.set(name, (met.get(name) ?? 0) + count);
  }
  for (const [name, least] of [
    ['event', 100],
    ['progress', 50],
    ['events behind', 20],
    ['events elsewhere', 2],
    ['split', 1],
    ['absorbed a neighbour of this node', 2],
    ['crash', 4],
  ] as const) {
    expect([name, (met.get(name) ?? 0) >= least]).toEqual([name, true]);
  }
});
