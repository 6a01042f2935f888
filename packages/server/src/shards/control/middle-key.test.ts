import fc from 'fast-check';
import { expect, it } from 'vitest';
import { compareKeys } from './compare-keys.ts';
import { evenCuts } from './even-keys.ts';
import { bisectedKey } from './middle-key.ts';

const keyLists = fc
  .uniqueArray(fc.uint8Array({ minLength: 1, maxLength: 6 }), {
    minLength: 2,
    maxLength: 60,
    selector: (key) => key.join(),
  })
  .map((keys) => keys.sort(compareKeys));

const before =
  (keys: readonly Uint8Array[]) =>
  (to: Uint8Array): number =>
    keys.filter((key) => compareKeys(key, to) < 0).length;

it('a key in the middle has half of the keys before it, or as nearly as whole keys allow', () => {
  fc.assert(
    fc.property(keyLists, (keys) => {
      const key = bisectedKey(before(keys), keys.length);
      expect(key).not.toBeNull();
      const left = before(keys)(key as Uint8Array);
      expect(left).toBeGreaterThan(0);
      expect(Math.abs(left - keys.length / 2)).toBeLessThanOrEqual(Math.max(1, keys.length * 0.02));
    }),
    { numRuns: 60 },
  );
});

it('parts are even where keys say how, and cover the signs of text where they do not', () => {
  const keys = Array.from({ length: 400 }, (_, i) =>
    new TextEncoder().encode(`user/${String(i).padStart(4, '0')}`),
  );
  const cuts = evenCuts(before(keys), keys.length, 8);
  expect(cuts).toHaveLength(7);
  const ends = [0, ...cuts.map(before(keys)), keys.length];
  for (let i = 1; i < ends.length; i += 1) {
    expect((ends[i] as number) - (ends[i - 1] as number)).toBeGreaterThan(30);
  }
  for (const parts of [2, 16, 1_024]) {
    const blind = evenCuts(() => 0, 0, parts);
    expect(blind).toHaveLength(parts - 1);
    blind.forEach((key, i) => expect(i === 0 || compareKeys(blind[i - 1] as Uint8Array, key) < 0).toBe(true));
  }
});
