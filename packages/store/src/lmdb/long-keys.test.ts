import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '@flotilla/platform';
import type { Random } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { compareBytes } from '../bytes.ts';
import { openLmdb } from './lmdb-storage.ts';

/** Up to three parts of keys that meet LMDB's bound from both sides, and share long beginnings. */
function randomKey(random: Random): Uint8Array {
  const lengths = [1, 5, 1_970, 1_971, 1_972, 1_976, 1_977, 1_978, 1_979, 3_947, 3_948, 3_949, 3_950, 6_000];
  const key = new Uint8Array(lengths[random.below(lengths.length)]!).fill(0x61);
  const marks = [0, 1_969, 1_970, 1_976, 1_977, 1_978, 3_946, 3_947, 3_948, 5_999];
  for (let i = random.below(3); i > 0; i -= 1) {
    const at = marks[random.below(marks.length)]!;
    if (at < key.length) key[at] = [0, 1, 0x60, 0x62, 0xff][random.below(5)]!;
  }
  return key;
}

for (let seed = 1; seed <= 2; seed += 1) {
  test(`keys longer than LMDB's are stored, found, scanned and removed in order, seed ${seed}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flotilla-long-keys-'));
    let storage = openLmdb(directory, ['table']);
    const random = seededRandom(seed);
    const model = new Map<string, Uint8Array>();
    const name = (key: Uint8Array): string => Buffer.from(key).toString('latin1');
    for (let round = 0; round < 12; round += 1) {
      const batch = new Map<string, Uint8Array | null>();
      for (let i = 0; i < 40; i += 1) {
        // The last rounds remove: nodes must go with their last entry.
        const removes = random.below(10) < (round < 8 ? 3 : 8);
        batch.set(name(randomKey(random)), removes ? null : Uint8Array.of(round, i));
      }
      const keys = [...batch.keys()]
        .map((key) => Uint8Array.from(Buffer.from(key, 'latin1')))
        .sort(compareBytes);
      await storage.commit({
        clear: false,
        tables: [{ keys, values: keys.map((key) => batch.get(name(key))!) }],
      }).committed;
      for (const [key, value] of batch) {
        if (value === null) model.delete(key);
        else model.set(key, value);
      }
      if (round % 5 === 4) {
        await storage.close();
        storage = openLmdb(directory, ['table']);
      }
      const sorted = [...model.keys()].map((key) => Buffer.from(key, 'latin1')).sort(compareBytes);
      for (let i = 0; i < 10; i += 1) {
        const probe = randomKey(random);
        expect(storage.get(0, probe)).toEqual(model.get(name(probe)) ?? null);
        const from = random.below(4) === 0 ? null : randomKey(random);
        const to = random.below(4) === 0 ? null : randomKey(random);
        const reverse = random.below(2) === 0;
        const found: string[] = [];
        const cursor = storage.scan(0, { from, to, reverse });
        for (; cursor.key !== null; cursor.advance()) {
          expect(cursor.value).toEqual(model.get(name(cursor.key)));
          found.push(name(cursor.key));
        }
        const expected = sorted
          .filter(
            (key) =>
              (from === null || compareBytes(key, from) >= 0) && (to === null || compareBytes(key, to) < 0),
          )
          .map(name);
        expect(found.length).toBe(expected.length);
        expect(found.join() === (reverse ? expected.reverse() : expected).join()).toBe(true);
      }
    }
    await storage.close();
    await rm(directory, { recursive: true });
  });
}
