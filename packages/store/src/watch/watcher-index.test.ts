import { seededRandom } from '@flotilla/platform';
import { expect, test } from 'vitest';
import { contains, keyRange } from '../mvcc/key-range.ts';
import type { KeyRange } from '../mvcc/key-range.ts';
import { WatcherIndex } from './watcher-index.ts';

test('an index finds exactly the watchers of a key, as they come and go', () => {
  const random = seededRandom(3);
  const key = (): Uint8Array => Uint8Array.from({ length: 1 + random.below(3) }, () => random.below(4));
  const index = new WatcherIndex<{ readonly range: KeyRange }>();
  const all: { readonly range: KeyRange }[] = [];
  let found = 0;
  for (let step = 0; step < 700; step += 1) {
    if (all.length === 0 || random.below(5) < 3) {
      const end = [new Uint8Array(0), Uint8Array.of(0), key()][random.below(3)]!;
      const watcher = { range: keyRange(key(), end) };
      all.push(watcher);
      index.add(watcher);
    } else {
      index.delete(all.splice(random.below(all.length), 1)[0]!);
    }
    expect(index.size).toBe(all.length);
    const probe = key();
    const matched = new Set<object>();
    index.match(probe, (watcher) => {
      expect(matched.has(watcher)).toBe(false);
      matched.add(watcher);
    });
    expect(matched).toEqual(new Set(all.filter(({ range }) => contains(range, probe))));
    found += matched.size;
  }
  expect(found).toBeGreaterThan(1_000);
});
