import { expect, test } from 'vitest';
import { run } from './lost-neighbour-run.ts';

test('a node that has lost what one of its replicas is to take over gets all of it with a snapshot', async () => {
  expect(await run()).toEqual({ violation: null });
});
