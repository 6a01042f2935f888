import { describe, expect, it } from 'vitest';
import { KeyValue } from '@flotilla/wire';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import { crc32c } from './crc32c.ts';
import { revisionKey } from './hash-kv.ts';
import { PlaceSorter } from './place-sorter.ts';

/** What etcd would have in its bucket, hashed in order. */
function hashOf(
  records: readonly (readonly [revision: number, sub: number, kv: Partial<KeyValue> | string])[],
): number {
  let hash = crc32c(toBytes('key'));
  for (const [revision, sub, kv] of records) {
    const deleted = typeof kv === 'string';
    hash = crc32c(revisionKey(revision, sub, deleted), hash);
    hash = crc32c(KeyValue.encode(KeyValue.create(deleted ? { key: toBytes(kv) } : kv)), hash);
  }
  return hash;
}

const put = (key: string, value: string, createRevision: number, modRevision: number, version: number) => ({
  key: toBytes(key),
  value: toBytes(value),
  createRevision,
  modRevision,
  version,
});
const putOperation = (key: string, value: string) => ({
  request: {
    case: 'requestPut' as const,
    value: {
      key: toBytes(key),
      value: toBytes(value),
      lease: 0n,
      prevKv: false,
      ignoreValue: false,
      ignoreLease: false,
    },
  },
});

async function hash(harness: Harness, revision = 0): Promise<number> {
  const pending = harness.database.hashKeyValues(revision);
  await harness.platform.advance(50);
  return (await pending).hash;
}

describe('the hash of keys and their history', () => {
  it('is over every record up to a revision, in the order of changes', async () => {
    const harness = await Harness.open();
    harness.put('b', '1');
    harness.txn({ success: [putOperation('z', '2'), putOperation('a', '3')] });
    harness.put('b', '4');
    harness.remove('a', 'c');
    const records = [
      [2, 0, put('b', '1', 2, 2, 1)],
      [3, 0, put('z', '2', 3, 3, 1)],
      [3, 1, put('a', '3', 3, 3, 1)],
      [4, 0, put('b', '4', 2, 4, 2)],
      [5, 0, 'a'],
      [5, 1, 'b'],
    ] as const;
    expect(await hash(harness)).toBe(hashOf(records));
    expect(await hash(harness, 3)).toBe(hashOf(records.slice(0, 3)));
    await harness.rest();
    expect(await hash(harness)).toBe(hashOf(records));
  });

  it('counts of what was compacted only what is live at the hashed revision', async () => {
    const harness = await Harness.open();
    harness.txn({ success: [putOperation('z', '1'), putOperation('y', '1'), putOperation('x', '1')] });
    harness.put('a', '1');
    harness.put('a', '2');
    harness.remove('x');
    harness.compact(5);
    harness.put('z', '2');
    const expected = [
      [2, 1, put('y', '1', 2, 2, 1)],
      [4, 0, put('a', '2', 3, 4, 2)],
      [6, 0, put('z', '2', 2, 6, 2)],
    ] as const;
    expect(await hash(harness)).toBe(hashOf(expected));
    await harness.rest();
    await harness.restart();
    expect(await hash(harness)).toBe(hashOf(expected));
    // At the compaction revision itself the version of z that was replaced later is live.
    expect(await hash(harness, 5)).toBe(hashOf([[2, 0, put('z', '1', 2, 2, 1)], expected[0], expected[1]]));
  });

  it('counts all that is kept when nothing is live', async () => {
    const harness = await Harness.open();
    harness.put('a', '1');
    harness.compact(2);
    harness.remove('a');
    expect(await hash(harness)).toBe(
      hashOf([
        [2, 0, put('a', '1', 2, 2, 1)],
        [3, 0, 'a'],
      ]),
    );
  });

  it('at the compaction revision stays what it was before, where that is known', async () => {
    const harness = await Harness.open();
    harness.put('a', '1');
    harness.remove('a');
    const before = await hash(harness, 3);
    harness.compact(3);
    expect(await hash(harness, 3)).toBe(before);
    expect(await harness.database.hashKeyValues(3)).toMatchObject({ compactRevision: -1, hashRevision: 3 });
    expect(await hash(harness)).toBe(hashOf([]));
    harness.put('a', '2');
    expect(await hash(harness)).toBe(hashOf([[4, 0, put('a', '2', 4, 4, 1)]]));
    await harness.restart();
    expect(await hash(harness, 3)).toBe(hashOf([]));
  });

  it('is refused below the compaction and beyond the newest revision', async () => {
    const harness = await Harness.open();
    harness.put('a', '1');
    harness.put('a', '2');
    harness.compact(3);
    await expect(harness.database.hashKeyValues(2)).rejects.toThrow('required revision has been compacted');
    await expect(harness.database.hashKeyValues(4)).rejects.toThrow('required revision is a future revision');
    expect(await hash(harness, 3)).toBe(hashOf([[3, 0, put('a', '2', 2, 3, 2)]]));
  });
});

describe('places', () => {
  it('come sorted by revision, sub-revision and key, however many', () => {
    const sorter = new PlaceSorter();
    const count = 20_000;
    for (let i = 0; i < count; i += 1) {
      const revision = (i * 7_919) % 5_000;
      sorter.add({ revision, sub: i % 3, key: toBytes(`k${i}`), deleted: i % 2 === 0 });
    }
    const sorted = [...sorter.sorted()];
    expect(sorted).toHaveLength(count);
    const wrong = sorted.findIndex((after, i) => {
      const before = sorted[i - 1];
      if (before === undefined) return false;
      const order =
        before.revision - after.revision ||
        before.sub - after.sub ||
        Buffer.compare(Buffer.from(before.key), Buffer.from(after.key));
      return order >= 0;
    });
    expect(wrong).toBe(-1);
  });
});
