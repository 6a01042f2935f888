import { assert } from '@flotilla/platform';
import { compareBytes, copyBytes, emptyBytes, successor } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import type { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import { ByteTree } from '../tree/byte-tree.ts';
import type { Layers } from './layers.ts';

/** A stored bucket or group: live keys in it, and (of a group) its buckets. */
export interface BucketCount {
  readonly keys: number;
  readonly buckets: number;
}

export function writeBucketCount(writer: ByteWriter, count: BucketCount): void {
  writer.varint(count.keys);
  writer.varint(count.buckets);
}

export function readBucketCount(_key: Uint8Array, record: Uint8Array): BucketCount {
  const reader = new ByteReader(record);
  return { keys: reader.varint(), buckets: reader.varint() };
}

/**
 * Counts live keys by ranges of the keyspace, so that a count reads two buckets at most and sums the rest. Buckets
 * partition the keyspace; groups partition the buckets; every group begins where a bucket begins, the first ones
 * with the empty key. They split when they grow and go when they are empty. The layout is a matter of this replica:
 * only the sums are the database's.
 *
 * Counts change on the heap, in a bounded cache, and go to the write buffer in {@link KeyCounts.flush}.
 */
export class KeyCounts {
  readonly #layers: Layers;
  #buckets = new ByteTree<Bucket>();
  #groups = new ByteTree<Group>();
  #dirtyBuckets: Bucket[] = [];
  #dirtyGroups: Group[] = [];
  /** The bucket of the last change: loads in key order never search. */
  #last: Bucket | null = null;

  constructor(layers: Layers) {
    this.#layers = layers;
  }

  /** `key` has just become live; it is in the layers already. */
  add(key: Uint8Array): void {
    const bucket = this.#find(key);
    this.#change(bucket, 1);
    if (bucket.keys > limits.bucketKeys) this.#split(bucket);
  }

  /** `key` is live no more. */
  remove(key: Uint8Array): void {
    const bucket = this.#find(key);
    assert(bucket.keys > 0, 'a bucket counts the keys in it');
    this.#change(bucket, -1);
    if (bucket.keys === 0) this.#removeEmpty(bucket);
  }

  /** Puts what changed into the active write buffer. Before every commit, view and count. */
  flush(): void {
    const buffer = this.#layers.active.buckets;
    for (const bucket of this.#dirtyBuckets) {
      if (!bucket.dirty) continue;
      bucket.dirty = false;
      buffer.set(placeOf(bucketLevel, bucket.start), { keys: bucket.keys, buckets: 0 });
    }
    for (const group of this.#dirtyGroups) {
      if (!group.dirty) continue;
      group.dirty = false;
      buffer.set(placeOf(groupLevel, group.start), { keys: group.keys, buckets: group.buckets });
    }
    this.#dirtyBuckets = [];
    this.#dirtyGroups = [];
  }

  get cachedBuckets(): number {
    return this.#buckets.size;
  }

  /** Puts down what is cached, and forgets it. */
  #reset(): void {
    this.flush();
    this.#buckets = new ByteTree();
    this.#groups = new ByteTree();
    this.#last = null;
  }

  #change(bucket: Bucket, by: number): void {
    bucket.keys += by;
    bucket.group.keys += by;
    this.#touch(bucket);
    this.#touchGroup(bucket.group);
  }

  #touch(bucket: Bucket): void {
    if (bucket.dirty) return;
    bucket.dirty = true;
    this.#dirtyBuckets.push(bucket);
  }

  #touchGroup(group: Group): void {
    if (group.dirty) return;
    group.dirty = true;
    this.#dirtyGroups.push(group);
  }

  #find(key: Uint8Array): Bucket {
    if (this.#last !== null && covers(this.#last, key)) return this.#last;
    const cached = this.#buckets.floor(key);
    const bucket = cached !== undefined && covers(cached, key) ? cached : this.#load(key);
    this.#last = bucket;
    return bucket;
  }

  #load(key: Uint8Array): Bucket {
    if (this.#buckets.size >= limits.cachedBuckets) this.#reset();
    const group = this.#findGroup(key);
    const { start, end, count } = this.#stored(bucketLevel, key);
    const bucket: Bucket = { start, end, keys: count.keys, group, dirty: false };
    this.#buckets.set(start, bucket);
    return bucket;
  }

  #findGroup(key: Uint8Array): Group {
    const cached = this.#groups.floor(key);
    if (cached !== undefined && covers(cached, key)) return cached;
    const { start, end, count } = this.#stored(groupLevel, key);
    // A database without keys has no groups yet: the first ones begin with the empty key.
    const group: Group = { start, end, keys: count.keys, buckets: Math.max(count.buckets, 1), dirty: false };
    this.#groups.set(start, group);
    return group;
  }

  #stored(level: Level, key: Uint8Array): { start: Uint8Array; end: Uint8Array | null; count: BucketCount } {
    // Nothing of a range that is not cached can be dirty, so the layers are right about it.
    const floor = floorOf(this.#layers, level, key);
    const next = this.#layers.scanBuckets({
      from: successor(placeOf(level, floor.start)),
      to: afterLevel(level),
      reverse: false,
    });
    const end = next.key === null ? null : next.key.subarray(1);
    next.close();
    // What comes after the span is counted by others, and they come and go.
    return { start: floor.start, end: this.#layers.scope.earlierEnd(end), count: floor.count };
  }

  /** Whether a bucket or group is the last of the span. */
  #isLast(end: Uint8Array | null): boolean {
    const { to } = this.#layers.scope.span;
    return end === null || to === null ? end === to : compareBytes(end, to) === 0;
  }

  #split(bucket: Bucket): void {
    const keys: Uint8Array[] = [];
    const cursor = this.#layers.scanLatest({ from: bucket.start, to: bucket.end, reverse: false });
    for (; cursor.key !== null; cursor.advance()) keys.push(cursor.key);
    assert(keys.length === bucket.keys, 'a bucket counts the keys in it');
    // A load in key order would leave every bucket half full; the last key alone starts a new one.
    const at = this.#isLast(bucket.end) ? keys.length - 1 : keys.length >> 1;
    const right: Bucket = {
      start: copyBytes(keys[at] as Uint8Array),
      end: bucket.end,
      keys: keys.length - at,
      group: bucket.group,
      dirty: false,
    };
    bucket.end = right.start;
    bucket.keys = at;
    this.#buckets.set(right.start, right);
    this.#touch(bucket);
    this.#touch(right);
    bucket.group.buckets += 1;
    this.#touchGroup(bucket.group);
    if (bucket.group.buckets > limits.groupBuckets) this.#splitGroup(bucket.group);
  }

  #splitGroup(group: Group): void {
    this.flush();
    const starts: Uint8Array[] = [];
    const counts: number[] = [];
    const cursor = this.#layers.scanBuckets({
      from: placeOf(bucketLevel, group.start),
      to: group.end === null ? afterLevel(bucketLevel) : placeOf(bucketLevel, group.end),
      reverse: false,
    });
    for (; cursor.key !== null; cursor.advance()) {
      starts.push(cursor.key.subarray(1));
      counts.push(cursor.value.keys);
    }
    assert(starts.length === group.buckets, 'a group counts the buckets in it');
    const at = this.#isLast(group.end) ? starts.length - 1 : starts.length >> 1;
    let keys = 0;
    for (let i = at; i < counts.length; i += 1) keys += counts[i] as number;
    const right: Group = {
      start: starts[at] as Uint8Array,
      end: group.end,
      keys,
      buckets: starts.length - at,
      dirty: false,
    };
    group.end = right.start;
    group.keys -= keys;
    group.buckets = at;
    this.#groups.set(right.start, right);
    this.#touchGroup(group);
    this.#touchGroup(right);
    const moved = this.#buckets.scan({ from: right.start, to: right.end, reverse: false });
    for (; moved.key !== null; moved.advance()) moved.value.group = right;
  }

  /**
   * Empty buckets go, or a queue (new keys at one end, deletions at the other) would leave them behind for ever. The
   * first bucket of a group marks where the group begins and goes with it; the first group stays.
   */
  #removeEmpty(bucket: Bucket): void {
    const group = bucket.group;
    const isFirst = compareBytes(bucket.start, group.start) === 0;
    if (!isFirst) {
      this.#unite(bucket.start);
      group.buckets -= 1;
      this.#touchGroup(group);
    }
    const isFirstOfAll = compareBytes(group.start, this.#layers.scope.span.from) <= 0;
    if (group.keys === 0 && group.buckets === 1 && !isFirstOfAll) this.#removeGroup(group);
  }

  /** Removes the bucket that starts at `start`; the one before it, if cached, is forgotten, since its end moved. */
  #unite(start: Uint8Array): void {
    this.flush();
    this.#layers.active.buckets.set(placeOf(bucketLevel, start), null);
    this.#buckets.delete(start);
    const before = this.#buckets.floor(start);
    if (before !== undefined) this.#buckets.delete(before.start);
    this.#last = null;
  }

  #removeGroup(group: Group): void {
    this.#unite(group.start);
    this.#layers.active.buckets.set(placeOf(groupLevel, group.start), null);
    this.#groups.delete(group.start);
    const before = this.#groups.floor(group.start);
    if (before === undefined) return;
    this.#groups.delete(before.start);
    // Cached buckets hold their group; those of the one before must find its successor object.
    const orphans: Uint8Array[] = [];
    const cursor = this.#buckets.scan({ from: before.start, to: group.end, reverse: false });
    for (; cursor.key !== null; cursor.advance()) orphans.push(cursor.key);
    for (const orphan of orphans) this.#buckets.delete(orphan);
  }
}

/** Live keys in [from, to) at the latest revision; `to` null: no end. */
export function countKeys(layers: Layers, first: Uint8Array, end: Uint8Array | null): number {
  layers.settle();
  const { from, to } = layers.scope.counted(first, end);
  if (to !== null && compareBytes(from, to) >= 0) return 0;
  const head = bucketAround(layers, from);
  if (head.end === null || (to !== null && compareBytes(to, head.end) <= 0)) {
    return scanCount(layers, from, to);
  }
  const keysOfHead = scanCount(layers, from, head.end);
  if (to === null) return keysOfHead + sumBuckets(layers, head.end, null);
  const last = floorOf(layers, bucketLevel, to);
  return keysOfHead + sumBuckets(layers, head.end, last.start) + scanCount(layers, last.start, to);
}

/** Keys between two bucket borders: single buckets up to the first group, whole groups, single buckets again. */
function sumBuckets(layers: Layers, from: Uint8Array, to: Uint8Array | null): number {
  if (to !== null && compareBytes(from, to) >= 0) return 0;
  const groups = layers.scanBuckets({
    from: placeOf(groupLevel, from),
    to: to === null ? afterLevel(groupLevel) : successor(placeOf(groupLevel, to)),
    reverse: false,
  });
  if (groups.key === null) return sumLevel(layers, from, to);
  const firstGroup = groups.key.subarray(1);
  let total = sumLevel(layers, from, firstGroup);
  let tail = firstGroup;
  // A group counts once the next one, at or before `to`, has shown where it ends.
  let pending = groups.value.keys;
  for (groups.advance(); groups.key !== null; groups.advance()) {
    total += pending;
    pending = groups.value.keys;
    tail = groups.key.subarray(1);
  }
  groups.close();
  return total + (to === null ? pending : sumLevel(layers, tail, to));
}

function sumLevel(layers: Layers, from: Uint8Array, to: Uint8Array | null): number {
  const cursor = layers.scanBuckets({
    from: placeOf(bucketLevel, from),
    to: to === null ? afterLevel(bucketLevel) : placeOf(bucketLevel, to),
    reverse: false,
  });
  let total = 0;
  for (; cursor.key !== null; cursor.advance()) total += cursor.value.keys;
  return total;
}

export function scanCount(layers: Layers, from: Uint8Array, to: Uint8Array | null): number {
  const cursor = layers.scanLatest({ from, to, reverse: false });
  let total = 0;
  for (; cursor.key !== null; cursor.advance()) total += 1;
  return total;
}

function bucketAround(layers: Layers, key: Uint8Array): { end: Uint8Array | null } {
  const next = layers.scanBuckets({
    from: successor(placeOf(bucketLevel, key)),
    to: afterLevel(bucketLevel),
    reverse: false,
  });
  const end = next.key === null ? null : next.key.subarray(1);
  next.close();
  return { end };
}

export function floorOf(
  layers: Layers,
  level: Level,
  key: Uint8Array,
): { start: Uint8Array; count: BucketCount } {
  const cursor = layers.scanBuckets({
    from: placeOf(level, emptyBytes),
    to: successor(placeOf(level, key)),
    reverse: true,
  });
  const result =
    cursor.key === null
      ? { start: emptyBytes, count: { keys: 0, buckets: 0 } }
      : { start: cursor.key.subarray(1), count: cursor.value };
  cursor.close();
  return result;
}

interface Group {
  readonly start: Uint8Array;
  end: Uint8Array | null;
  keys: number;
  buckets: number;
  dirty: boolean;
}

interface Bucket {
  readonly start: Uint8Array;
  /** Null: to the end of the keyspace. */
  end: Uint8Array | null;
  keys: number;
  group: Group;
  dirty: boolean;
}

/** Buckets sort before groups in the table. */
export type Level = 0 | 1;
export const bucketLevel: Level = 0;
export const groupLevel: Level = 1;

function covers(interval: { start: Uint8Array; end: Uint8Array | null }, key: Uint8Array): boolean {
  return (
    compareBytes(interval.start, key) <= 0 && (interval.end === null || compareBytes(key, interval.end) < 0)
  );
}

/** Where the bucket or group that starts with `start` is stored. */
export function placeOf(level: Level, start: Uint8Array): Uint8Array {
  const place = new Uint8Array(start.length + 1);
  place[0] = level;
  place.set(start, 1);
  return place;
}

function afterLevel(level: Level): Uint8Array {
  return new Uint8Array([level + 1]);
}
