import { describe, expect, test } from 'vitest';
import { requireProgram } from '../support/programs.ts';
import { differential } from './differential/differential.ts';
import { shrink } from './differential/shrink.ts';

describe.skipIf(!requireProgram('etcd', 'the same answers as a real etcd'))('against a real etcd', () => {
  test('400 generated operations are answered alike, field by field', async () => {
    const { failure, operations, events } = await differential(1, 400);
    expect(failure).toBeNull();
    expect(operations).toBe(400);
    expect(events).toBeGreaterThan(100);
  });
});

test('a failing list is shrunk to what fails', async () => {
  const list = Array.from({ length: 500 }, (_, i) => i);
  const fails = (candidate: readonly number[]): Promise<boolean> =>
    Promise.resolve(candidate.includes(17) && candidate.includes(499));
  expect(await shrink(list, fails)).toEqual([17, 499]);
});
