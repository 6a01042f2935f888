import { expect, test } from 'vitest';
import { TraceHash } from './trace-hash.ts';

function hashOf(...values: readonly (number | string | Uint8Array)[]): number {
  const hash = new TraceHash();
  for (const value of values) {
    if (typeof value === 'number') hash.add(value);
    else if (typeof value === 'string') hash.addString(value);
    else hash.addBytes(value);
  }
  return hash.value;
}

test('equal traces hash equally, and order, borders, fractions and single bits count', () => {
  const traces = [
    [1, 2],
    [2, 1],
    [1, 2.5],
    [1, 2.25],
    [1, -2],
    ['ab', 'c'],
    ['a', 'bc'],
    [new Uint8Array([1, 2, 3, 4, 5])],
    [new Uint8Array([1, 2, 3, 4, 4])],
    [new Uint8Array([1, 2, 3, 5, 5])],
    [],
  ];
  const hashes = traces.map((trace) => hashOf(...trace));
  expect(new Set(hashes).size).toBe(traces.length);
  expect(traces.map((trace) => hashOf(...trace))).toEqual(hashes);
  for (const hash of hashes) expect(Number.isSafeInteger(hash) && hash >= 0).toBe(true);
});

test('a hundred thousand short traces do not collide', () => {
  const seen = new Set<number>();
  for (let i = 0; i < 100_000; i += 1) seen.add(hashOf(i, i * 7));
  expect(seen.size).toBe(100_000);
});
