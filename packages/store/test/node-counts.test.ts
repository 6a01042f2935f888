import { DeleteRangeRequest, PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { MemoryStorage } from '../src/memory/memory-storage.ts';
import { countKeys } from '../src/mvcc/key-counts.ts';
import { versionBytes } from '../src/mvcc/records.ts';
import { storageTables } from '../src/mvcc/tables.ts';
import { NodeStore, type SharedShardStore } from '../src/node-store/node-store.ts';
import { toBytes } from './model.ts';
import { VirtualPlatform } from './virtual-platform.ts';

const start = new Uint8Array(0);
const noRange = new Uint8Array(0);

function openNode(): { node: NodeStore; platform: VirtualPlatform } {
  const platform = new VirtualPlatform();
  const options = { image: null, maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
  return { platform, node: new NodeStore(platform, new MemoryStorage(platform, storageTables, options)) };
}

function name(prefix: string, i: number): Uint8Array {
  return toBytes(`${prefix}${String(i).padStart(6, '0')}`);
}

function put({ keys }: SharedShardStore, key: Uint8Array): void {
  keys.put(PutRequest.create({ key, value: toBytes('value') }));
}

function remove({ keys }: SharedShardStore, key: Uint8Array, rangeEnd: Uint8Array = noRange): void {
  keys.deleteRange(DeleteRangeRequest.create({ key, rangeEnd }));
}

function count({ keys }: SharedShardStore, from: Uint8Array = start, to: Uint8Array | null = null): number {
  return countKeys(keys.layers, from, to);
}

test('groups of buckets are cut and united with the shards', () => {
  const { node } = openNode();
  const parent = node.createShard(1, { from: start, to: null });
  // Backwards, so that buckets are half full: these are more than one group.
  for (let i = 33_999; i >= 0; i -= 1) put(parent, name('k', i));
  const child = parent.fork(2);
  child.narrow({ from: name('k', 15_000), to: null });
  parent.narrow({ from: start, to: name('k', 15_000) });
  expect([count(parent), count(child)]).toEqual([15_000, 19_000]);
  for (let i = 10_000; i < 20_000; i += 1) {
    if (i % 3 === 0) remove(i < 15_000 ? parent : child, name('k', i));
  }
  expect([count(parent), count(child)]).toEqual([13_334, 17_333]);
  for (let i = 0; i < 600; i += 1) put(parent, name(`k014999-`, i));
  expect(count(parent)).toBe(13_934);
  parent.absorb(child, child.span);
  expect(count(parent)).toBe(31_267);
  expect(count(parent, name('k', 14_998), name('k', 15_003))).toBe(604);
  for (let i = 0; i < 2_000; i += 1) put(parent, name('k015001-', i));
  expect(count(parent, name('k', 14_998), name('k', 15_003))).toBe(2_604);
});

test('a shard counts its own, whoever comes and goes beside it', async () => {
  const { node, platform } = openNode();
  const left = node.createShard(1, { from: start, to: toBytes('m') });
  const first = node.createShard(2, { from: toBytes('m'), to: null });
  put(first, toBytes('n'));
  const removing = node.removeShard(first);
  await platform.advance(100);
  await removing;
  // Nothing is behind its last bucket now.
  for (let i = 0; i < 200; i += 1) put(left, name('a', i));
  const second = node.createShard(3, { from: toBytes('m'), to: null });
  for (let i = 0; i < 1_000; i += 1) put(second, name('n', i));
  for (let i = 200; i < 2_000; i += 1) put(left, name('a', i));
  expect([count(left), count(second)]).toEqual([2_000, 1_000]);
});

test('a shard that has lost all of its keys begins where it did', () => {
  const { node } = openNode();
  const left = node.createShard(1, { from: start, to: toBytes('m') });
  const right = node.createShard(2, { from: toBytes('m'), to: null });
  for (let i = 0; i < 1_000; i += 1) put(left, name('a', i));
  for (let i = 0; i < 1_000; i += 1) put(right, name('n', i));
  remove(right, toBytes('n'), toBytes('o'));
  expect(count(right)).toBe(0);
  for (let i = 0; i < 1_000; i += 1) put(right, name('n', i));
  left.absorb(right, right.span);
  expect(count(left)).toBe(2_000);
  expect(count(left, name('a', 990), name('n', 10))).toBe(20);
});

test('shards that come and go leave no rows of counts behind', async () => {
  const { node, platform } = openNode();
  const shard = node.createShard(1, { from: start, to: null });
  for (let i = 0; i < 200; i += 1) put(shard, name('k', i));
  const rows = (): number => {
    const { layers } = shard.keys;
    let found = 0;
    const cursor = layers.scanBuckets({ from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) found += 1;
    return found;
  };
  shard.keys.settle();
  const before = rows();
  for (let i = 1; i < 100; i += 1) {
    const child = shard.fork(1 + i);
    child.narrow({ from: name('k', 2 * i), to: null });
    shard.narrow({ from: start, to: name('k', 2 * i) });
    expect(rows()).toBe(before + 2);
    shard.absorb(child, child.span);
  }
  expect(rows()).toBe(before);
  expect(count(shard)).toBe(200);
  await platform.advance(100);
});

/** What is really there. */
function bytesOf(stores: readonly SharedShardStore[]): number {
  const range = { from: null, to: null, reverse: false };
  let bytes = 0;
  for (const { layers } of stores.map(({ keys }) => keys)) {
    for (const c = layers.scanLatest(range); c.key !== null; c.advance()) bytes += versionBytes(c.value);
    for (const c = layers.scanHistory(range); c.key !== null; c.advance()) bytes += versionBytes(c.value.kv);
  }
  return bytes;
}

function rewrite(store: SharedShardStore, prefix: string): void {
  for (let round = 0; round < 4; round += 1) for (let i = 0; i < 50; i += 1) put(store, name(prefix, i));
}

test('bytes are counted off once when a shard is split in the middle of its compaction', () => {
  const { node } = openNode();
  const parent = node.createShard(1, { from: start, to: null });
  rewrite(parent, 'k');
  parent.keys.compactRevision = parent.keys.revision;
  // One slice gathers all of it; the next removes some.
  parent.compact(100_000);
  parent.compact(70);
  const child = parent.fork(2);
  child.narrow({ from: name('k', 20), to: null });
  parent.narrow({ from: start, to: name('k', 20) });
  expect(node.liveBytes).toBe(bytesOf([parent, child]));
  while (!child.compact(10));
  while (!parent.compact(10));
  expect(bytesOf([parent, child])).toBe(50 * versionBytes({ ...parent.keys.layers.latest(name('k', 0))! }));
  expect(node.liveBytes).toBe(bytesOf([parent, child]));
});

test('bytes are counted off once when shards are merged whose compaction has come differently far', () => {
  const { node } = openNode();
  const left = node.createShard(1, { from: start, to: toBytes('m') });
  const right = node.createShard(2, { from: toBytes('m'), to: null });
  rewrite(left, 'a');
  rewrite(right, 'n');
  for (const { keys } of [left, right]) keys.compactRevision = 150;
  while (!right.compact(10));
  left.absorb(right, right.span);
  expect(left.keys.compactedThrough).toBeLessThan(150);
  while (!left.compact(10));
  expect(node.liveBytes).toBe(bytesOf([left]));
  left.keys.compactRevision = left.keys.revision;
  while (!left.compact(10));
  expect(node.liveBytes).toBe(bytesOf([left]));
});
