import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { Cursor, ScanRange, StorageReader } from '../storage.ts';
import { readBucketCount } from './key-counts.ts';
import type { BucketCount } from './key-counts.ts';
import type { KeyRange } from './key-range.ts';
import { historyKey, historyStart, keyOfHistory } from './keys.ts';
import { readPastVersion, readVersion } from './records.ts';
import type { PastVersion } from './records.ts';
import { Table } from './tables.ts';
import type { WriteBuffer } from './write-buffer.ts';

/**
 * Applied state as one: the write buffer that is being filled, over those that wait for their commit or are in one,
 * over the last storage commit. Storage shows an asynchronous write only after its commit, and whether it already
 * does makes no difference here: what is in flight hides what lies below, and is equal to it once it is there.
 */
export class Layers {
  active: WriteBuffer;
  /** Written no more; the newest first. Usually none or one, more only while the storage is behind. */
  frozen: readonly WriteBuffer[];
  readonly storage: StorageReader;
  /** Counts and events that are still on their way into the active buffer; null in a pinned view. */
  pending: Pending | null = null;

  constructor(active: WriteBuffer, frozen: readonly WriteBuffer[], storage: StorageReader) {
    this.active = active;
    this.frozen = frozen;
    this.storage = storage;
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

  scanLatest(range: ScanRange): Cursor<KeyValue> {
    const buffers = [this.active.latest.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.latest.scan(range));
    return merge(buffers, this.storage.scan(Table.LATEST, range), readVersion, range.reverse);
  }

  /** Keys of this cursor are places, see {@link historyKey}. */
  scanHistory(range: ScanRange): Cursor<PastVersion> {
    const buffers = [this.active.history.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.history.scan(range));
    return merge(buffers, this.storage.scan(Table.HISTORY, range), readPlacedVersion, range.reverse);
  }

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

  scanSystem(range: ScanRange): Cursor<Uint8Array> {
    const buffers = [this.active.system.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.system.scan(range));
    return merge(buffers, this.storage.scan(Table.SYSTEM, range), readBytes, range.reverse);
  }

  scanBuckets(range: ScanRange): Cursor<BucketCount> {
    const buffers = [this.active.buckets.scan(range)];
    for (const frozen of this.frozen) buffers.push(frozen.buckets.scan(range));
    return merge(buffers, this.storage.scan(Table.BUCKETS, range), readBucketCount, range.reverse);
  }
}

export interface Pending {
  settle(): void;
}

type Read<V> = (key: Uint8Array, record: Uint8Array) => V;

function readBytes(_key: Uint8Array, record: Uint8Array): Uint8Array {
  return record;
}

function readPlacedVersion(place: Uint8Array, record: Uint8Array): PastVersion {
  return readPastVersion(keyOfHistory(place), record);
}

/** `buffers` from the newest on. */
function merge<V>(
  buffers: readonly Cursor<V | null>[],
  stored: Cursor<Uint8Array>,
  read: Read<V>,
  reverse: boolean,
): Cursor<V> {
  const layers = buffers.filter((buffer) => buffer.key !== null);
  return layers.length === 0
    ? new StoredCursor(stored, read)
    : new MergedCursor(layers, stored, read, reverse);
}

/** Nothing is buffered in the range: what is stored is what there is. */
class StoredCursor<V> implements Cursor<V> {
  key: Uint8Array | null;
  readonly #stored: Cursor<Uint8Array>;
  readonly #read: Read<V>;

  constructor(stored: Cursor<Uint8Array>, read: Read<V>) {
    this.#stored = stored;
    this.#read = read;
    this.key = stored.key;
  }

  /** Decodes on each call: keep the answer. */
  get value(): V {
    return this.#read(this.key as Uint8Array, this.#stored.value);
  }

  advance(): void {
    this.#stored.advance();
    this.key = this.#stored.key;
  }

  close(): void {
    this.key = null;
    this.#stored.close();
  }
}

/** Sorted cursors as one. Where several stand on a key the newest layer's entry counts; a null hides the key. */
class MergedCursor<V> implements Cursor<V> {
  key: Uint8Array | null = null;
  readonly #buffers: readonly Cursor<V | null>[];
  readonly #stored: Cursor<Uint8Array>;
  readonly #read: Read<V>;
  readonly #reverse: boolean;
  /** The newest layer that stands on `key`; null: the storage. */
  #source: Cursor<V | null> | null = null;

  constructor(
    buffers: readonly Cursor<V | null>[],
    stored: Cursor<Uint8Array>,
    read: Read<V>,
    reverse: boolean,
  ) {
    this.#buffers = buffers;
    this.#stored = stored;
    this.#read = read;
    this.#reverse = reverse;
    this.#settle();
  }

  /** Decodes a stored record on each call: keep the answer. */
  get value(): V {
    if (this.#source !== null) return this.#source.value as V;
    return this.#read(this.key as Uint8Array, this.#stored.value);
  }

  advance(): void {
    if (this.key === null) return;
    this.#step(this.key);
    this.#settle();
  }

  close(): void {
    this.key = null;
    for (const buffer of this.#buffers) buffer.close();
    this.#stored.close();
  }

  /** Moves every layer that stands on `key`. */
  #step(key: Uint8Array): void {
    for (const buffer of this.#buffers) {
      if (buffer.key !== null && compareBytes(buffer.key, key) === 0) buffer.advance();
    }
    const { key: stored } = this.#stored;
    if (stored !== null && compareBytes(stored, key) === 0) this.#stored.advance();
  }

  #settle(): void {
    for (;;) {
      let key: Uint8Array | null = null;
      let source: Cursor<V | null> | null = null;
      for (const buffer of this.#buffers) {
        if (buffer.key === null || (key !== null && !this.#before(buffer.key, key))) continue;
        key = buffer.key;
        source = buffer;
      }
      const stored = this.#stored.key;
      if (stored !== null && (key === null || this.#before(stored, key))) {
        key = stored;
        source = null;
      }
      this.key = key;
      this.#source = source;
      if (key === null || source === null || source.value !== null) return;
      this.#step(key);
    }
  }

  #before(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareBytes(a, b);
    return this.#reverse ? order > 0 : order < 0;
  }
}
