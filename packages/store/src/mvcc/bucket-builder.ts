import { compareBytes, emptyBytes } from '../bytes.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import { damaged } from '../snapshot-frames.ts';
import type { TableWrites } from '../storage.ts';
import { placeOf, writeBucketCount } from './key-counts.ts';

/** Key counts for keys that come in order: buckets and groups three quarters full, so that they do not split at once. */
export class BucketBuilder {
  readonly #writer = new ByteWriter();
  #buckets: { keys: Uint8Array[]; values: Uint8Array[] } = { keys: [], values: [] };
  #groups: { keys: Uint8Array[]; values: Uint8Array[] } = { keys: [], values: [] };
  #bucketStart: Uint8Array;
  #bucketKeys = 0;
  #groupStart: Uint8Array;
  #groupKeys = 0;
  #groupBuckets = 0;
  #lastKey: Uint8Array | null = null;

  /** `from`: where the span begins whose keys come. */
  constructor(from: Uint8Array = emptyBytes) {
    this.#bucketStart = from;
    this.#groupStart = from;
  }

  add(key: Uint8Array): void {
    if (this.#lastKey !== null && compareBytes(this.#lastKey, key) >= 0) throw damaged('keys out of order');
    this.#lastKey = key;
    if (this.#bucketKeys >= (limits.bucketKeys * 3) / 4) this.#endBucket(key);
    this.#bucketKeys += 1;
  }

  end(): void {
    this.#writeBucket();
    this.#writeGroup();
  }

  /** What is complete, as sorted writes: group places sort after all bucket places. */
  take(): TableWrites {
    const writes = {
      keys: [...this.#buckets.keys, ...this.#groups.keys],
      values: [...this.#buckets.values, ...this.#groups.values],
    };
    this.#buckets = { keys: [], values: [] };
    this.#groups = { keys: [], values: [] };
    return writes;
  }

  #endBucket(next: Uint8Array): void {
    this.#writeBucket();
    if (this.#groupBuckets >= (limits.groupBuckets * 3) / 4) {
      this.#writeGroup();
      this.#groupStart = next;
      this.#groupKeys = 0;
      this.#groupBuckets = 0;
    }
    this.#bucketStart = next;
    this.#bucketKeys = 0;
  }

  #writeBucket(): void {
    this.#put(this.#buckets, 0, this.#bucketStart, this.#bucketKeys, 0);
    this.#groupKeys += this.#bucketKeys;
    this.#groupBuckets += 1;
  }

  #writeGroup(): void {
    this.#put(this.#groups, 1, this.#groupStart, this.#groupKeys, this.#groupBuckets);
  }

  #put(
    target: { keys: Uint8Array[]; values: Uint8Array[] },
    level: 0 | 1,
    start: Uint8Array,
    keys: number,
    buckets: number,
  ): void {
    target.keys.push(placeOf(level, start));
    writeBucketCount(this.#writer, { keys, buckets });
    target.values.push(this.#writer.take());
  }
}
