import { assert } from '@flotilla/platform';
import { compareBytes, emptyBytes } from '../bytes.ts';
import { limits } from '../limits.ts';
import { bucketLevel, floorOf, groupLevel, type Level, placeOf, scanCount } from './key-counts.ts';
import type { BucketCount } from './key-counts.ts';
import type { Layers } from './layers.ts';

/*
 * Counts are kept by buckets and groups of them. Where a shard begins both begin, so that what is counted in one is of
 * one shard. Nobody may have counts of the keys around a border in a cache while it is changed.
 */

/** A shard without keys begins at `from`. */
export function beginCounts({ active }: Layers, from: Uint8Array): void {
  active.buckets.set(placeOf(bucketLevel, from), { keys: 0, buckets: 0 });
  active.buckets.set(placeOf(groupLevel, from), { keys: 0, buckets: 1 });
}

/** A shard begins at `at`, in the middle of the one that has counted until now. */
export function cutCounts(layers: Layers, at: Uint8Array): void {
  const { buckets } = layers.active;
  const bucket = floorOf(layers, bucketLevel, at);
  const group = floorOf(layers, groupLevel, at);
  if (compareBytes(group.start, at) === 0) return;
  const cutsBucket = compareBytes(bucket.start, at) !== 0;
  if (cutsBucket) {
    const left = scanCount(layers, bucket.start, at);
    buckets.set(placeOf(bucketLevel, bucket.start), { keys: left, buckets: 0 });
    buckets.set(placeOf(bucketLevel, at), { keys: bucket.count.keys - left, buckets: 0 });
  }
  const left = sumBetween(layers, group.start, at);
  const all = Math.max(group.count.buckets, 1) + (cutsBucket ? 1 : 0);
  buckets.set(placeOf(groupLevel, group.start), left);
  buckets.set(placeOf(groupLevel, at), { keys: group.count.keys - left.keys, buckets: all - left.buckets });
}

/** What begins at `at` is the shard's that ends there, from now on. Its counts stay apart where they are many. */
export function uniteCounts(layers: Layers, at: Uint8Array): void {
  const { buckets } = layers.active;
  const right = floorOf(layers, groupLevel, at);
  const rightBucket = floorOf(layers, bucketLevel, at);
  assert(
    compareBytes(right.start, at) === 0 && compareBytes(rightBucket.start, at) === 0,
    'a group and a bucket begin where a shard does',
  );
  const left = lastBefore(layers, groupLevel, at);
  const leftBucket = lastBefore(layers, bucketLevel, at);
  let all = Math.max(left.count.buckets, 1) + right.count.buckets;
  if (all > limits.groupBuckets) return;
  buckets.set(placeOf(groupLevel, at), null);
  const keys = leftBucket.count.keys + rightBucket.count.keys;
  if (keys <= limits.bucketKeys) {
    buckets.set(placeOf(bucketLevel, at), null);
    buckets.set(placeOf(bucketLevel, leftBucket.start), { keys, buckets: 0 });
    all -= 1;
  }
  buckets.set(placeOf(groupLevel, left.start), { keys: left.count.keys + right.count.keys, buckets: all });
}

function sumBetween(layers: Layers, from: Uint8Array, to: Uint8Array): BucketCount {
  const cursor = layers.scanBuckets({
    from: placeOf(bucketLevel, from),
    to: placeOf(bucketLevel, to),
    reverse: false,
  });
  let keys = 0;
  let buckets = 0;
  for (; cursor.key !== null; cursor.advance()) {
    keys += cursor.value.keys;
    buckets += 1;
  }
  return { keys, buckets };
}

function lastBefore(
  layers: Layers,
  level: Level,
  at: Uint8Array,
): { readonly start: Uint8Array; readonly count: BucketCount } {
  const cursor = layers.scanBuckets({
    from: placeOf(level, emptyBytes),
    to: placeOf(level, at),
    reverse: true,
  });
  if (cursor.key === null) return { start: emptyBytes, count: { keys: 0, buckets: 0 } };
  const found = { start: cursor.key.subarray(1), count: cursor.value };
  cursor.close();
  return found;
}
