import { seededRandom } from '@flotilla/platform';
import { describe, expect, test } from 'vitest';
import { compareBytes } from '../bytes.ts';
import { ByteTree } from './byte-tree.ts';

const whole = { from: null, to: null, reverse: false };

function entries(tree: ByteTree<number>, range: Parameters<ByteTree<number>['scan']>[0] = whole): string[] {
  const found: string[] = [];
  for (const cursor = tree.scan(range); cursor.key !== null; cursor.advance()) {
    found.push(`${Buffer.from(cursor.key).toString('hex')}=${cursor.value}`);
  }
  return found;
}

function modelEntries(model: Map<string, number>): string[] {
  return [...model]
    .sort(([a], [b]) => compareBytes(Buffer.from(a, 'hex'), Buffer.from(b, 'hex')))
    .map(([key, value]) => `${key}=${value}`);
}

/** Few distinct bytes, so that keys share long prefixes and are prefixes of each other. */
function randomKey(random: { below(bound: number): number }): Uint8Array {
  return Uint8Array.from({ length: random.below(9) }, () => [0, 1, 0x61, 0xff][random.below(4)]!);
}

describe('a byte tree', () => {
  for (let seed = 1; seed <= 3; seed += 1) {
    test(`agrees with a sorted map, and its clones never change, seed ${seed}`, () => {
      const random = seededRandom(seed);
      const tree = new ByteTree<number>();
      const model = new Map<string, number>();
      const clones: { clone: ByteTree<number>; expected: string[] }[] = [];
      for (let step = 0; step < 1_500; step += 1) {
        const key = randomKey(random);
        const name = Buffer.from(key).toString('hex');
        // Growing first, shrinking later: nodes split, merge and vanish.
        if (random.below(10) < (step < 1_500 ? 8 : 3)) {
          expect(tree.set(key, step)).toBe(model.get(name));
          model.set(name, step);
        } else {
          expect(tree.delete(key)).toBe(model.get(name));
          model.delete(name);
        }
        expect(tree.size).toBe(model.size);
        const probe = randomKey(random);
        expect(tree.get(probe)).toBe(model.get(Buffer.from(probe).toString('hex')));
        if (step % 500 === 0) clones.push({ clone: tree.clone(), expected: modelEntries(model) });
      }
      expect(entries(tree)).toEqual(modelEntries(model));
      for (const { clone, expected } of clones) expect(entries(clone)).toEqual(expected);
      for (const key of model.keys()) tree.delete(Buffer.from(key, 'hex'));
      expect(entries(tree)).toEqual([]);
      expect(clones.some(({ expected }) => expected.length > 100)).toBe(true);
    });

    test(`finds ranges and floors, seed ${seed}`, () => {
      const random = seededRandom(seed);
      const tree = new ByteTree<number>();
      const keys: Uint8Array[] = [];
      for (let i = 0; i < 800; i += 1) {
        const key = randomKey(random);
        if (tree.set(key, 1) === undefined) keys.push(key);
      }
      keys.sort(compareBytes);
      const hex = (key: Uint8Array): string => `${Buffer.from(key).toString('hex')}=1`;
      for (let i = 0; i < 500; i += 1) {
        const from = random.below(5) === 0 ? null : randomKey(random);
        const to = random.below(5) === 0 ? null : randomKey(random);
        const expected = keys
          .filter(
            (key) =>
              (from === null || compareBytes(key, from) >= 0) && (to === null || compareBytes(key, to) < 0),
          )
          .map(hex);
        expect(entries(tree, { from, to, reverse: false })).toEqual(expected);
        expect(entries(tree, { from, to, reverse: true })).toEqual(expected.reverse());
      }
      const marked = new ByteTree<string>();
      for (const key of keys.filter((_, i) => i % 3 === 0)) marked.set(key, hex(key));
      for (let i = 0; i < 500; i += 1) {
        const probe = randomKey(random);
        const expected = keys.filter((key, at) => at % 3 === 0 && compareBytes(key, probe) <= 0).map(hex);
        expect(marked.floor(probe)).toBe(expected.at(-1));
      }
    });
  }
});
