import { generatedTape } from '@flotilla/sim';
import { expect, test } from 'vitest';
import { WatchedShards } from './watched-run.ts';

test('watches of many shards see one history, whatever happens to the shards', async () => {
  const { violation, coverage } = await new WatchedShards(generatedTape(4)).run();
  expect(violation).toBeNull();
  for (const [met, least] of [
    ['event', 30],
    ['progress', 20],
    ['events behind', 10],
    ['crash', 2],
  ] as const) {
    expect([met, coverage.get(met) >= least]).toEqual([met, true]);
  }
});
