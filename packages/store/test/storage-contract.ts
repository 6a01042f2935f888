import { describe, expect, test } from 'vitest';
import { seededRandom } from '@flotilla/platform';
import { compareBytes } from '../src/bytes.ts';
import type { Cursor, OrderedStorage, ScanRange, StorageReader, TableWrites } from '../src/storage.ts';

export const contractTables: readonly string[] = ['first', 'second'];

export interface StorageFixture {
  /** A storage with {@link contractTables} that holds nothing, or what {@link StorageFixture.reopen} keeps. */
  open(): Promise<OrderedStorage>;
  /** Lets time pass until `promise` settles. */
  settle<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

/** What every {@link OrderedStorage} must do. */
export function storageContract(name: string, makeFixture: () => Promise<StorageFixture>): void {
  const withStorage =
    (run: (storage: OrderedStorage, fixture: StorageFixture) => Promise<void>) => async () => {
      const fixture = await makeFixture();
      const storage = await fixture.open();
      try {
        await run(storage, fixture);
      } finally {
        await fixture.settle(storage.close());
        await fixture.end();
      }
    };
  const put = async (fixture: StorageFixture, storage: OrderedStorage, entries: Entries): Promise<void> => {
    const { committed, flushed } = storage.commit({ clear: false, tables: [writes(entries), writes({})] });
    await fixture.settle(committed);
    await fixture.settle(flushed);
  };

  describe(`${name} as ordered storage`, () => {
    test(
      'holds nothing at first',
      withStorage(async (storage) => {
        expect(storage.get(0, bytes('a'))).toBeNull();
        expect(list(storage, {})).toEqual([]);
        await Promise.resolve();
      }),
    );

    test(
      'shows a commit when it resolves, in every table',
      withStorage(async (storage, fixture) => {
        const { committed, flushed } = storage.commit({
          clear: false,
          tables: [writes({ a: '1', b: '' }), writes({ a: 'other' })],
        });
        await fixture.settle(committed);
        expect(text(storage.get(0, bytes('a')))).toBe('1');
        expect(text(storage.get(0, bytes('b')))).toBe('');
        expect(text(storage.get(1, bytes('a')))).toBe('other');
        expect(storage.get(1, bytes('b'))).toBeNull();
        await fixture.settle(flushed);
      }),
    );

    test(
      'replaces and removes',
      withStorage(async (storage, fixture) => {
        await put(fixture, storage, { a: '1', b: '2', c: '3' });
        await put(fixture, storage, { a: 'new', b: null, d: null });
        expect(list(storage, {})).toEqual(['a=new', 'c=3']);
      }),
    );

    test(
      'clears everything and writes in one commit',
      withStorage(async (storage, fixture) => {
        await fixture.settle(
          storage.commit({ clear: false, tables: [writes({ a: '1' }), writes({ b: '2' })] }).committed,
        );
        await fixture.settle(
          storage.commit({ clear: true, tables: [writes({ c: '3' }), writes({})] }).committed,
        );
        expect(list(storage, {})).toEqual(['c=3']);
        expect(list(storage, {}, 1)).toEqual([]);
      }),
    );

    test(
      'scans between an inclusive start and an exclusive end, both ways',
      withStorage(async (storage, fixture) => {
        await put(fixture, storage, { a: '1', ab: '2', b: '3', c: '4' });
        expect(list(storage, { from: 'a', to: 'b' })).toEqual(['a=1', 'ab=2']);
        expect(list(storage, { from: 'aa', to: null })).toEqual(['ab=2', 'b=3', 'c=4']);
        expect(list(storage, { from: null, to: 'c', reverse: true })).toEqual(['b=3', 'ab=2', 'a=1']);
        expect(list(storage, { from: 'ab', to: 'zz', reverse: true })).toEqual(['c=4', 'b=3', 'ab=2']);
        expect(list(storage, { from: 'b', to: 'b' })).toEqual([]);
        expect(list(storage, { from: 'c', to: 'a' })).toEqual([]);
        expect(list(storage, { from: 'c', to: 'a', reverse: true })).toEqual([]);
      }),
    );

    test(
      'orders keys by unsigned bytes, prefixes first',
      withStorage(async (storage, fixture) => {
        const keys = ['00', '0000', '0001', '00ff', '01', '7f', '80', 'ff', 'ff00', 'ffff'];
        const entries = keys.map((key): [Uint8Array, Uint8Array] => [Buffer.from(key, 'hex'), bytes(key)]);
        await fixture.settle(
          storage.commit({
            clear: false,
            tables: [
              { keys: entries.map(([key]) => key), values: entries.map(([, value]) => value) },
              writes({}),
            ],
          }).committed,
        );
        const found = collect(storage.scan(0, { from: null, to: null, reverse: false }));
        expect(found.map(([key]) => Buffer.from(key).toString('hex'))).toEqual(keys);
        const reversed = collect(storage.scan(0, { from: null, to: null, reverse: true }));
        expect(reversed.map(([key]) => Buffer.from(key).toString('hex'))).toEqual(keys.slice().reverse());
      }),
    );

    test(
      'keeps what was read, whatever is read or written after it',
      withStorage(async (storage, fixture) => {
        await put(fixture, storage, { a: 'one', b: 'two' });
        const a = storage.get(0, bytes('a'));
        const cursor = storage.scan(0, { from: null, to: null, reverse: false });
        const { key, value } = cursor;
        cursor.advance();
        storage.get(0, bytes('b'));
        cursor.close();
        await put(fixture, storage, { a: 'xxx', b: 'yyy' });
        expect([text(a), text(key), text(value)]).toEqual(['one', 'a', 'one']);
      }),
    );

    test(
      'pins a view, in which nothing changes',
      withStorage(async (storage, fixture) => {
        await put(fixture, storage, { a: '1', b: '2' });
        const view = storage.view();
        await put(fixture, storage, { a: 'x', b: null, c: '3' });
        await fixture.settle(storage.commit({ clear: true, tables: [writes({}), writes({})] }).committed);
        expect(list(view, {})).toEqual(['a=1', 'b=2']);
        expect(text(view.get(0, bytes('a')))).toBe('1');
        expect(view.get(0, bytes('c'))).toBeNull();
        expect(list(storage, {})).toEqual([]);
        view.release();
        view.release();
        expect(() => view.get(0, bytes('a'))).toThrow();
      }),
    );

    test(
      'takes one commit at a time',
      withStorage(async (storage, fixture) => {
        const { committed } = storage.commit({ clear: false, tables: [writes({ a: '1' }), writes({})] });
        expect(() => storage.commit({ clear: false, tables: [writes({}), writes({})] })).toThrow();
        await fixture.settle(committed);
      }),
    );

    test(
      'has kept every flushed commit when it is opened again',
      withStorage(async (storage, fixture) => {
        await put(fixture, storage, { a: '1' });
        await put(fixture, storage, { b: '2' });
        await fixture.settle(storage.close());
        const again = await fixture.open();
        expect(list(again, {})).toEqual(['a=1', 'b=2']);
        await fixture.settle(again.close());
      }),
    );

    test(
      'has keys and values of any length',
      withStorage(async (storage, fixture) => {
        const long = new Uint8Array(10_000).fill(0x61);
        const longer = new Uint8Array(10_001).fill(0x61);
        const sibling = Uint8Array.from(long);
        sibling[9_000] = 0x62;
        const exact = [1_000, 1_900, 1_901, 1_977, 1_978, 1_979, 2_000, 4_000].map((length) =>
          new Uint8Array(length).fill(0x61),
        );
        const keys = [...exact, long, longer, sibling, bytes('b')].sort(compareBytes);
        const values = keys.map((key) => new Uint8Array(key.length * 20).fill(key.length & 0xff));
        await fixture.settle(
          storage.commit({ clear: false, tables: [{ keys, values }, writes({})] }).committed,
        );
        for (const [i, key] of keys.entries()) {
          expect(Buffer.compare(storage.get(0, key) ?? new Uint8Array(0), values[i]!)).toBe(0);
        }
        const lengths = (range: Partial<ScanRange>): number[] =>
          collect(storage.scan(0, { from: null, to: null, reverse: false, ...range })).map(
            ([key]) => key.length,
          );
        const sorted = keys.map((key) => key.length);
        expect(lengths({})).toEqual(sorted);
        expect(lengths({ reverse: true })).toEqual(sorted.slice().reverse());
        expect(lengths({ from: keys[3]!, to: keys[9]! })).toEqual(sorted.slice(3, 9));
        expect(lengths({ from: keys[3]!, to: keys[9]!, reverse: true })).toEqual(
          sorted.slice(3, 9).slice().reverse(),
        );
        expect(lengths({ from: long.subarray(0, 9_999), to: bytes('aab') })).toEqual(
          sorted.slice(keys.indexOf(long), keys.indexOf(sibling) + 1),
        );
        const removed = [long, sibling].sort(compareBytes);
        await fixture.settle(
          storage.commit({ clear: false, tables: [{ keys: removed, values: [null, null] }, writes({})] })
            .committed,
        );
        expect(storage.get(0, long)).toBeNull();
        expect(lengths({})).toEqual(
          keys.filter((key) => key !== long && key !== sibling).map((key) => key.length),
        );
      }),
    );

    test(
      'agrees with a sorted list after random writes',
      withStorage(async (storage, fixture) => {
        const random = seededRandom(7);
        const model = new Map<string, string>();
        for (let round = 0; round < 40; round += 1) {
          const batch: Entries = {};
          for (let i = 0; i < 50; i += 1) {
            const key = `k${random.below(300)}`;
            batch[key] = random.below(3) === 0 ? null : `v${random.u32()}`;
          }
          for (const [key, value] of Object.entries(batch)) {
            if (value === null) model.delete(key);
            else model.set(key, value);
          }
          await put(fixture, storage, batch);
          const from = `k${random.below(300)}`;
          const to = `k${random.below(300)}`;
          const reverse = random.below(2) === 0;
          const expected = [...model]
            .filter(([key]) => key >= from && key < to)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, value]) => `${key}=${value}`);
          expect(list(storage, { from, to, reverse })).toEqual(
            reverse ? expected.slice().reverse() : expected,
          );
        }
        expect(storage.sizeBytes).toBeGreaterThan(0);
      }),
    );
  });
}

type Entries = Record<string, string | null>;

export function bytes(value: string): Uint8Array {
  return Uint8Array.from(Buffer.from(value));
}

function text(value: Uint8Array | null): string | null {
  return value === null ? null : Buffer.from(value).toString();
}

function writes(entries: Entries): TableWrites {
  const sorted = Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    keys: sorted.map(([key]) => bytes(key)),
    values: sorted.map(([, value]) => (value === null ? null : bytes(value))),
  };
}

function collect(cursor: Cursor<Uint8Array>): [Uint8Array, Uint8Array][] {
  const found: [Uint8Array, Uint8Array][] = [];
  for (; cursor.key !== null; cursor.advance()) found.push([cursor.key, cursor.value]);
  return found;
}

function list(
  reader: StorageReader,
  {
    from = null,
    to = null,
    reverse = false,
  }: { from?: string | null; to?: string | null; reverse?: boolean },
  table = 0,
): string[] {
  const range = { from: from === null ? null : bytes(from), to: to === null ? null : bytes(to), reverse };
  return collect(reader.scan(table, range)).map(([key, value]) => `${text(key)}=${text(value)}`);
}
