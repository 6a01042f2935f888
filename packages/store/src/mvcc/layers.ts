import type { KeyValue } from '@flotilla/wire';
import type { Cursor, ScanRange, StorageReader } from '../storage.ts';
import { readBucketCount } from './key-counts.ts';
import type { BucketCount } from './key-counts.ts';
import type { KeyRange } from './key-range.ts';
import { KeyScope } from './key-scope.ts';
import { historyKey, historyStart, keyOfHistory } from './keys.ts';
import type { LayerStack, Pending } from './layer-stack.ts';
import { merge } from './layered-cursor.ts';
import { readPastVersion, readVersion } from './records.ts';
import type { PastVersion } from './records.ts';
import { Table } from './tables.ts';
import type { WriteBuffer } from './write-buffer.ts';

/**
 * Applied state as one: the write buffer that is being filled, over those that wait for their commit or are in one,
 * over the last storage commit. Storage shows an asynchronous write only after its commit, and whether it already
 * does makes no difference here: what is in flight hides what lies below, and is equal to it once it is there.
 *
 * Of a shard: scans end where its span does. A key that is asked for by name must be one of its own.
 */
export class Layers {
  readonly stack: LayerStack;
  readonly scope: KeyScope;
  /** Counts and events that are still on their way into the active buffer; null in a pinned view. */
  pending: Pending | null = null;

  constructor(stack: LayerStack, scope: KeyScope = KeyScope.whole()) {
    this.stack = stack;
    this.scope = scope;
  }

  get active(): WriteBuffer {
    return this.stack.active;
  }

  get frozen(): readonly WriteBuffer[] {
    return this.stack.frozen;
  }

  get storage(): StorageReader {
    return this.stack.storage;
  }

  /** Before whatever reads counts or events. */
  settle(): void {
    if (this.pending !== null) this.pending.settle();
  }

  /** Those whose buckets count; the others that lie over them are in {@link Layers.uncounted}. */
  get counted(): Layers {
    return this;
  }

  /** By how many keys the range has more than {@link Layers.counted} has in it. */
  uncounted(_range: KeyRange): number {
    return 0;
  }

  latest(key: Uint8Array): KeyValue | null {
    const active = this.active.latest.get(key);
    if (active !== undefined) return active;
    for (const buffer of this.frozen) {
      const frozen = buffer.latest.get(key);
      if (frozen !== undefined) return frozen;
    }
    const stored = this.storage.get(Table.LATEST, key);
    return stored === null ? null : readVersion(key, stored);
  }

  /** The past version of `key` that `revision` made, unless compaction has removed it. */
  past(key: Uint8Array, revision: number): PastVersion | null {
    const place = historyKey(key, revision);
    const active = this.active.history.get(place);
    if (active !== undefined) return active;
    for (const buffer of this.frozen) {
      const frozen = buffer.history.get(place);
      if (frozen !== undefined) return frozen;
    }
    const stored = this.storage.get(Table.HISTORY, place);
    return stored === null ? null : readPastVersion(key, stored);
  }

  /** The version of `key` that `revision` made, be it still the latest or not. */
  versionAt(key: Uint8Array, revision: number): KeyValue | null {
    const latest = this.latest(key);
    if (latest !== null && latest.modRevision === revision) return latest;
    return this.past(key, revision)?.kv ?? null;
  }

  /** What a reader at `revision` sees of `key`. */
  visibleAt(key: Uint8Array, revision: number): KeyValue | null {
    const latest = this.latest(key);
    if (latest !== null && latest.modRevision <= revision) return latest;
    const cursor = this.scanHistory({
      from: historyStart(key),
      to: historyKey(key, revision + 1),
      reverse: true,
    });
    const past = cursor.key === null ? null : cursor.value;
    cursor.close();
    return past !== null && past.end > revision ? past.kv : null;
  }

  scanLatest(bounds: ScanRange): Cursor<KeyValue> {
    const range = this.scope.keys(bounds);
    const buffers = [this.active.latest.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.latest.scan(range));
    return merge(buffers, this.storage.scan(Table.LATEST, range), readVersion, range.reverse);
  }

  /** Keys of this cursor are places, see {@link historyKey}. */
  scanHistory(bounds: ScanRange): Cursor<PastVersion> {
    const range = this.scope.history(bounds);
    const buffers = [this.active.history.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.history.scan(range));
    return merge(buffers, this.storage.scan(Table.HISTORY, range), readPlacedVersion, range.reverse);
  }

  /** Of all logs. */
  scanEvents(range: ScanRange): Cursor<Uint8Array> {
    const buffers = [this.active.events.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.events.scan(range));
    return merge(buffers, this.storage.scan(Table.EVENTS, range), readBytes, range.reverse);
  }

  system(key: Uint8Array): Uint8Array | null {
    const active = this.active.system.get(key);
    if (active !== undefined) return active;
    for (const buffer of this.frozen) {
      const frozen = buffer.system.get(key);
      if (frozen !== undefined) return frozen;
    }
    return this.storage.get(Table.SYSTEM, key);
  }

  scanSystem(bounds: ScanRange): Cursor<Uint8Array> {
    const range = this.scope.system(bounds);
    const buffers = [this.active.system.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.system.scan(range));
    return merge(buffers, this.storage.scan(Table.SYSTEM, range), readBytes, range.reverse);
  }

  /** Of the whole keyspace. */
  scanBuckets(range: ScanRange): Cursor<BucketCount> {
    const buffers = [this.active.buckets.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.buckets.scan(range));
    return merge(buffers, this.storage.scan(Table.BUCKETS, range), readBucketCount, range.reverse);
  }
}

function readBytes(_key: Uint8Array, record: Uint8Array): Uint8Array {
  return record;
}

function readPlacedVersion(place: Uint8Array, record: Uint8Array): PastVersion {
  return readPastVersion(keyOfHistory(place), record);
}
