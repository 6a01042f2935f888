import { encodeMembershipChange, leaveJointChange } from '@flotilla/raft';
import type { Entry, Index, Term } from '@flotilla/raft';
import { Compare, PutRequest, RangeRequest } from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Harness } from '../test/harness.ts';
import { toBytes } from '../test/model.ts';
import { limits } from './limits.ts';
import { Table } from './mvcc/tables.ts';

const beyond = Number.MAX_SAFE_INTEGER;
const before = Number.MIN_SAFE_INTEGER;

function rows(harness: Harness, table: number): number {
  const cursor = harness.storage.scan(table, { from: null, to: null, reverse: false });
  let count = 0;
  for (; cursor.key !== null; cursor.advance()) count += 1;
  return count;
}

describe('revisions', () => {
  test('begin at 1 and grow by one with every write that changes something', async () => {
    const harness = await Harness.open();
    expect(harness.range('a').header!.revision).toBe(1);
    harness.put('a', '1');
    expect(harness.database.revision).toBe(2);
    harness.remove('nothing');
    expect(harness.database.revision).toBe(2);
    harness.txn({ success: [operation('a'), operation('b'), operation('c')] });
    expect(harness.database.revision).toBe(3);
    harness.txn({});
    expect(harness.database.revision).toBe(3);
    harness.remove('a', '\0');
    expect(harness.database.revision).toBe(4);
  });

  test('at the ends of int64 are answered sensibly', async () => {
    const harness = await Harness.open();
    harness.put('a', '1');
    const future = 'etcdserver: mvcc: required revision is a future revision';
    const compacted = 'etcdserver: mvcc: required revision has been compacted';
    expect(harness.refusal(() => harness.range('a', '', { revision: beyond }))).toBe(future);
    expect(harness.list('a', '', { revision: before })).toEqual(['a=1']);
    expect(harness.refusal(() => harness.compact(beyond))).toBe(future);
    expect(harness.refusal(() => harness.compact(before))).toBe(compacted);
    expect(harness.list('a', '\0', { limit: beyond })).toEqual(['a=1']);
    expect(harness.list('a', '\0', { limit: before })).toEqual(['a=1']);
    expect(harness.list('a', '\0', { minModRevision: beyond })).toEqual([]);
    expect(harness.list('a', '\0', { maxModRevision: beyond })).toEqual(['a=1']);
    expect(harness.list('a', '\0', { maxCreateRevision: before })).toEqual([]);
    for (const value of [beyond, before]) {
      const compare = Compare.create({
        key: toBytes('a'),
        target: 2,
        result: value === beyond ? 2 : 1,
        targetUnion: { case: 'modRevision', value },
      });
      expect(harness.txn({ compare: [compare] }).succeeded).toBe(true);
    }
  });
});

function operation(key: string): RequestOp {
  return { request: { case: 'requestPut', value: PutRequest.create({ key: toBytes(key) }) } };
}

describe('a put', () => {
  test('with a lease finds none, since none is granted', async () => {
    const harness = await Harness.open();
    expect(harness.refusal(() => harness.put('a', '1', { lease: 5n }))).toBe(
      'etcdserver: requested lease not found',
    );
    expect(harness.refusal(() => harness.put('a', '1', { lease: -5n }))).toBe(
      'etcdserver: requested lease not found',
    );
    expect(harness.database.revision).toBe(1);
  });

  test('that a transaction cannot do leaves all of it undone', async () => {
    const harness = await Harness.open();
    const value = PutRequest.create({ key: toBytes('b'), ignoreValue: true });
    const success: RequestOp[] = [operation('a'), { request: { case: 'requestPut', value } }];
    expect(harness.refusal(() => harness.txn({ success }))).toBe('etcdserver: key not found');
    expect(harness.list('a', '\0')).toEqual([]);
    expect(harness.database.revision).toBe(1);
    expect(harness.database.applied.index).toBe(1);
  });
});

describe('entries', () => {
  const entry = (index: number, payload: Uint8Array, kind: Entry['kind'] = 'command'): Entry => ({
    index: index as Index,
    term: 1 as Term,
    kind,
    payload,
  });

  test('of a newer version stop the member before anything changes', async () => {
    const harness = await Harness.open();
    expect(() => harness.database.apply([entry(1, Uint8Array.of(4, 1, 0))])).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PROPOSAL_VERSION' }) as Error,
    );
    expect(() => harness.database.apply([entry(1, Uint8Array.of(1, 99, 0))])).toThrow(
      expect.objectContaining({ code: 'FLOTILLA_PROPOSAL_KIND' }) as Error,
    );
    expect(harness.database.applied.index).toBe(0);
    expect(harness.database.revision).toBe(1);
  });

  test('are applied in order, each once', async () => {
    const harness = await Harness.open();
    const none = new Uint8Array(0);
    harness.database.apply([entry(1, none, 'no-op')]);
    expect(() => harness.database.apply([entry(1, none, 'no-op')])).toThrow('assertion');
    expect(() => harness.database.apply([entry(3, none, 'no-op')])).toThrow('assertion');
  });

  test('that are no requests are recorded as applied, and survive', async () => {
    const harness = await Harness.open();
    const none = new Uint8Array(0);
    expect(
      harness.database.apply([
        entry(1, none, 'no-op'),
        entry(2, encodeMembershipChange(leaveJointChange), 'membership'),
      ]),
    ).toEqual([{ kind: 'none' }, { kind: 'none' }]);
    await harness.rest();
    expect(harness.database.flushed.index).toBe(2);
    await harness.restart();
    expect(harness.database.applied).toEqual({ index: 2, term: 1 });
  });
});

describe('compaction', () => {
  test('removes exactly what nobody can read any more', async () => {
    const harness = await Harness.open();
    for (let i = 0; i < 3_000; i += 1) harness.put(`k${i % 10}`, `v${i}`);
    harness.remove('k3');
    harness.remove('k4');
    harness.put('k4', 'again');
    const { revision } = harness.database;
    const asBefore = harness.list('a', '\0', { revision });
    await harness.rest();
    expect(rows(harness, Table.HISTORY)).toBe(3_000 - 8);
    const full = harness.database.stats.liveBytes;
    harness.compact(revision);
    await harness.rest();
    expect(harness.list('a', '\0', { revision })).toEqual(asBefore);
    expect(harness.refusal(() => harness.range('k1', '', { revision: revision - 1 }))).toContain('compacted');
    expect(rows(harness, Table.HISTORY)).toBe(0);
    expect(rows(harness, Table.EVENTS)).toBe(1);
    const stored = harness.range('a', '\0').kvs.map((kv) => kv.key.length + kv.value.length + 16);
    expect(harness.database.stats.liveBytes).toBe(stored.reduce((sum, bytes) => sum + bytes));
    expect(harness.database.stats.liveBytes).toBeLessThan(full / 100);
  });

  test('goes on after a crash in the middle, and its boundary holds from the start', async () => {
    const harness = await Harness.open();
    const count = limits.compactionSliceEvents * 8;
    for (let i = 0; i < count; i += 1) harness.put(`k${i % 7}`, `v${i}`);
    await harness.rest();
    harness.compact(harness.database.revision);
    const atRequest = harness.database.hash();
    // Until one commit has stored some slices, and not all.
    for (let i = 0; i < 400; i += 1) {
      await harness.platform.advance(1);
      if (rows(harness, Table.HISTORY) < count - 7) break;
    }
    await harness.platform.advance(6);
    const left = rows(harness, Table.HISTORY);
    await harness.restart();
    const resumed = rows(harness, Table.HISTORY);
    expect(resumed).toBeGreaterThanOrEqual(left);
    expect(harness.refusal(() => harness.range('k1', '', { revision: 2 }))).toContain('compacted');
    await harness.rest();
    expect(rows(harness, Table.HISTORY)).toBe(0);
    expect(harness.database.hash()).toEqual(atRequest);
    const live = harness.range('a', '\0').kvs.map((kv) => kv.key.length + kv.value.length + 16);
    expect(harness.database.stats.liveBytes).toBe(live.reduce((sum, bytes) => sum + bytes));
  });

  test('removes the version in between when a transaction puts a key and deletes it', async () => {
    const harness = await Harness.open();
    const nested = (request: RequestOp): RequestOp => ({
      request: { case: 'requestTxn', value: { compare: [], success: [request], failure: [] } },
    });
    const value = { key: toBytes('a'), rangeEnd: toBytes(''), prevKv: false };
    harness.put('a', 'before');
    harness.txn({
      success: [nested(operation('a')), nested({ request: { case: 'requestDeleteRange', value } })],
    });
    expect(harness.list('a', '', { revision: 2 })).toEqual(['a=before']);
    expect(harness.list('a')).toEqual([]);
    harness.put('b', '1');
    harness.put('b', '2');
    harness.compact(3);
    await harness.rest();
    harness.compact(5);
    await harness.rest();
    expect(rows(harness, Table.HISTORY)).toBe(0);
    expect(harness.database.stats.liveBytes).toBe('b'.length + '2'.length + 16);
  });

  test('is waited for', async () => {
    const harness = await Harness.open();
    for (let i = 0; i < 2_000; i += 1) harness.put('k', `v${i}`);
    harness.compact(2_001);
    let done = false;
    void harness.database.compacted(2_001).then(() => (done = true));
    expect(done).toBe(false);
    await harness.rest();
    expect(done).toBe(true);
    expect(rows(harness, Table.HISTORY)).toBe(0);
  });
});

describe('counts', () => {
  const name = (i: number): string => `k${String(i).padStart(7, '0')}`;

  /** Compares counts of random ranges with the list of keys that are there. */
  function checkCounts(harness: Harness, keys: readonly string[], random: () => number): void {
    const sorted = keys.slice().sort();
    const below = (key: string): number => {
      let low = 0;
      let high = sorted.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sorted[middle]! < key) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    for (let i = 0; i < 60; i += 1) {
      const from = name(random());
      const to = i % 5 === 0 ? '\0' : name(random());
      const expected = to === '\0' ? sorted.length - below(from) : Math.max(0, below(to) - below(from));
      expect(harness.range(from, to, { countOnly: true }).count, `${from} to ${to}`).toBe(expected);
      const page = harness.range(from, to, { limit: 2 });
      expect(page.count).toBe(expected);
      expect(page.more).toBe(expected > 2);
    }
  }

  test('are right after many keys in order, gone at the other end', async () => {
    const harness = await Harness.open();
    let random = 1;
    const next = (): number => (random = (random * 48_271) % 2_147_483_647) % 45_000;
    for (let i = 0; i < 40_000; i += 1) {
      harness.put(name(i), '');
      if (i >= 20_000) harness.remove(name(i - 20_000));
      if (i % 5_000 === 0) await harness.platform.advance(100);
    }
    const keys = Array.from({ length: 20_000 }, (_, i) => name(i + 20_000));
    checkCounts(harness, keys, next);
    await harness.rest();
    await harness.restart();
    checkCounts(harness, keys, next);
    harness.remove('a', '\0');
    checkCounts(harness, [], next);
    await harness.rest();
    // Empty buckets do not stay behind; the first one and its group do.
    expect(rows(harness, Table.BUCKETS)).toBeLessThanOrEqual(4);
  });

  test('are right after many keys in any order, in several groups of buckets', async () => {
    const harness = await Harness.open();
    const keys = new Set<string>();
    let random = 7;
    const next = (): number => (random = (random * 48_271) % 2_147_483_647) % 400_000;
    for (let i = 0; i < 90_000; i += 1) {
      const key = name(next());
      if (i % 4 === 3) {
        harness.remove(key);
        keys.delete(key);
      } else {
        harness.put(key, '');
        keys.add(key);
      }
      if (i % 10_000 === 0) await harness.platform.advance(100);
    }
    checkCounts(harness, [...keys], next);
    await harness.rest();
    await harness.restart();
    checkCounts(harness, [...keys], next);
    const { revision } = harness.database;
    const range = { from: Uint8Array.of(1), to: Uint8Array.of(2), reverse: false };
    let groups = 0;
    for (const cursor = harness.storage.scan(Table.BUCKETS, range); cursor.key !== null; cursor.advance()) {
      groups += 1;
    }
    harness.remove(name(0), name(200_000));
    expect(groups).toBeGreaterThan(1);
    const left = [...keys].filter((key) => key >= name(200_000));
    checkCounts(harness, left, next);
    expect(harness.range('a', '\0', { countOnly: true, revision }).count).toBe(keys.size);
  });
});

test('a long range in slices is of one moment', async () => {
  const harness = await Harness.open();
  for (let i = 0; i < limits.rangeSliceKeys * 3; i += 1) harness.put(`k${i}`, 'old');
  const request = RangeRequest.create({ key: toBytes('k'), rangeEnd: toBytes('l') });
  const whole = harness.database.range(request);
  const pending = harness.database.rangeInSlices(request);
  for (let i = 0; i < 100; i += 1) harness.put(`k${i * 50}`, 'new');
  harness.remove('k1', 'k2');
  await harness.rest();
  expect(await pending).toEqual(whole);
});

test('commits carry the applied index: a crash goes back to one of them', async () => {
  const harness = await Harness.open();
  for (let i = 0; i < 30; i += 1) {
    harness.put('k', `v${i}`);
    await harness.platform.advance(9);
  }
  const flushed = harness.database.flushed.index;
  await harness.restart();
  expect(harness.database.applied.index).toBeGreaterThanOrEqual(flushed);
  expect(harness.database.applied.index).toBeLessThan(30);
  expect(harness.list('k')).toEqual([`k=v${harness.database.applied.index - 1}`]);
  expect(harness.database.revision).toBe(harness.database.applied.index + 1);
});

test('what waits for a slow storage is read as what is stored, and goes down in commits of bounded size', async () => {
  const harness = await Harness.open();
  const model = new Map<string, string>();
  for (let i = 0; i < 22_000; i += 1) {
    const key = `k${(i * 7_919) % 3_000}`;
    if (i % 5 === 4) {
      harness.remove(key);
      model.delete(key);
    } else {
      harness.put(key, `v${i}`);
      model.set(key, `v${i}`);
    }
  }
  // No time has passed: nothing is committed.
  expect(rows(harness, Table.LATEST)).toBe(0);
  expect(harness.database.stats.bufferedOperations).toBeGreaterThan(2 * limits.freezeOperations);
  const expected = [...model].map(([key, value]) => `${key}=${value}`).sort();
  expect(harness.list('k', 'l').sort()).toEqual(expected);
  expect(harness.range('k', 'l', { countOnly: true }).count).toBe(model.size);
  const past = harness.list('k', 'l', { revision: 9_000 });
  const hash = harness.database.hash();
  await harness.platform.advance(6);
  expect(rows(harness, Table.LATEST)).toBeGreaterThan(0);
  expect(harness.database.flushed.index).toBeLessThan(22_000);
  expect(harness.database.hash()).toEqual(hash);
  await harness.rest();
  expect(harness.database.flushed.index).toBe(22_000);
  expect(harness.database.stats.bufferedOperations).toBe(0);
  expect(harness.database.hash()).toEqual(hash);
  await harness.restart();
  expect(harness.database.hash()).toEqual(hash);
  expect(harness.list('k', 'l', { revision: 9_000 })).toEqual(past);
});

test('a storage that does not follow is overload, until it does', async () => {
  const harness = await Harness.open();
  let puts = 0;
  while (!harness.database.overloaded && puts < 200_000) harness.put('k', `v${(puts += 1)}`);
  expect(puts).toBeLessThan(limits.freezeOperations * (limits.frozenBuffers + 2));
  await harness.rest();
  expect(harness.database.overloaded).toBe(false);
});

test('reads that hold a view of the storage are bounded in number, and refused beyond', async () => {
  const harness = await Harness.open();
  for (let i = 0; i < 2 * limits.firstPieceKeys; i += 1) harness.put(`k${i}`, 'v');
  const request = RangeRequest.create({ key: toBytes('k'), rangeEnd: toBytes('l') });
  const begin = async () => {
    const pieces = harness.database.rangePieces(request, 1);
    await pieces.next();
    return pieces;
  };
  const all = [];
  for (let i = 0; i < limits.pinnedReads; i += 1) all.push(await begin());
  await expect(begin()).rejects.toThrow('etcdserver: too many requests');
  await all[0]?.return(undefined);
  await expect(begin()).resolves.toBeDefined();
});
