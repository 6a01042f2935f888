import { expect, test } from 'vitest';
import { run } from './offered-again-run.ts';

test('a leader that was not told that its snapshot is there goes on from it', async () => {
  expect(await run()).toEqual({ violation: null });
});
