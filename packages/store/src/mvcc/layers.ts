import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import type { Cursor, ScanRange, StorageReader } from '../storage.ts';
import { readBucketCount } from './key-counts.ts';
import type { BucketCount } from './key-counts.ts';
import { historyKey, historyStart, keyOfHistory } from './keys.ts';
import { readPastVersion, readVersion } from './records.ts';
import type { PastVersion } from './records.ts';
import { Table } from './tables.ts';
import type { WriteBuffer } from './write-buffer.ts';

/**
 * Applied state as one: the write buffer that is being filled, over the one that is being committed, over the last
 * storage commit. Storage shows an asynchronous write only after its commit, and whether it already does makes no
 * difference here: what is in flight hides what lies below, and is equal to it once it is there.
 */
export class Layers {
  active: WriteBuffer;
  committing: WriteBuffer | null;
  readonly storage: StorageReader;
  /** Counts and events that are still on their way into the active buffer; null in a pinned view. */
  pending: Pending | null = null;

  constructor(active: WriteBuffer, committing: WriteBuffer | null, storage: StorageReader) {
    this.active = active;
    this.committing = committing;
    this.storage = storage;
  }

  /** Before whatever reads counts or events. */
  settle(): void {
    if (this.pending !== null) this.pending.settle();
  }

  latest(key: Uint8Array): KeyValue | null {
    const active = this.active.latest.get(key);
    if (active !== undefined) return active;
    if (this.committing !== null) {
      const committing = this.committing.latest.get(key);
      if (committing !== undefined) return committing;
    }
    const stored = this.storage.get(Table.LATEST, key);
    return stored === null ? null : readVersion(key, stored);
  }

  /** The past version of `key` that `revision` made, unless compaction has removed it. */
  past(key: Uint8Array, revision: number): PastVersion | null {
    const place = historyKey(key, revision);
    const active = this.active.history.get(place);
    if (active !== undefined) return active;
    if (this.committing !== null) {
      const committing = this.committing.history.get(place);
      if (committing !== undefined) return committing;
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
    return merge(
      this.active.latest.scan(range),
      this.committing?.latest.scan(range) ?? null,
      this.storage.scan(Table.LATEST, range),
      readVersion,
      range.reverse,
    );
  }

  /** Keys of this cursor are places, see {@link historyKey}. */
  scanHistory(range: ScanRange): Cursor<PastVersion> {
    return merge(
      this.active.history.scan(range),
      this.committing?.history.scan(range) ?? null,
      this.storage.scan(Table.HISTORY, range),
      readPlacedVersion,
      range.reverse,
    );
  }

  scanEvents(range: ScanRange): Cursor<Uint8Array> {
    return merge(
      this.active.events.scan(range),
      this.committing?.events.scan(range) ?? null,
      this.storage.scan(Table.EVENTS, range),
      readBytes,
      range.reverse,
    );
  }

  scanBuckets(range: ScanRange): Cursor<BucketCount> {
    return merge(
      this.active.buckets.scan(range),
      this.committing?.buckets.scan(range) ?? null,
      this.storage.scan(Table.BUCKETS, range),
      readBucketCount,
      range.reverse,
    );
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

function merge<V>(
  active: Cursor<V | null>,
  committing: Cursor<V | null> | null,
  stored: Cursor<Uint8Array>,
  read: Read<V>,
  reverse: boolean,
): Cursor<V> {
  return new MergedCursor(active, committing, stored, read, reverse);
}

/** Three sorted cursors as one. Where several stand on a key the newest layer's entry counts; a null hides the key. */
class MergedCursor<V> implements Cursor<V> {
  key: Uint8Array | null = null;
  readonly #active: Cursor<V | null>;
  readonly #committing: Cursor<V | null> | null;
  readonly #stored: Cursor<Uint8Array>;
  readonly #read: Read<V>;
  readonly #reverse: boolean;
  /** The newest layer that stands on `key`. */
  #source: Source = 'stored';

  constructor(
    active: Cursor<V | null>,
    committing: Cursor<V | null> | null,
    stored: Cursor<Uint8Array>,
    read: Read<V>,
    reverse: boolean,
  ) {
    this.#active = active;
    this.#committing = committing;
    this.#stored = stored;
    this.#read = read;
    this.#reverse = reverse;
    this.#settle();
  }

  /** Decodes a stored record on each call: keep the answer. */
  get value(): V {
    if (this.#source === 'active') return this.#active.value as V;
    if (this.#source === 'committing') return (this.#committing as Cursor<V | null>).value as V;
    return this.#read(this.key as Uint8Array, this.#stored.value);
  }

  advance(): void {
    if (this.key === null) return;
    this.#step();
    this.#settle();
  }

  close(): void {
    this.key = null;
    this.#active.close();
    this.#committing?.close();
    this.#stored.close();
  }

  /** Moves every layer that stands on the current key. */
  #step(): void {
    const key = this.key as Uint8Array;
    const { key: activeKey } = this.#active;
    if (activeKey !== null && compareBytes(activeKey, key) === 0) this.#active.advance();
    const committing = this.#committing;
    if (committing !== null && committing.key !== null && compareBytes(committing.key, key) === 0) {
      committing.advance();
    }
    // Storage cursors make a new array per entry, so that its place is compared by content.
    const { key: storedKey } = this.#stored;
    if (storedKey !== null && (storedKey === key || compareBytes(storedKey, key) === 0)) {
      this.#stored.advance();
    }
  }

  #settle(): void {
    for (;;) {
      let key = this.#active.key;
      let source: Source = 'active';
      const committing = this.#committing?.key ?? null;
      if (committing !== null && (key === null || this.#before(committing, key))) {
        key = committing;
        source = 'committing';
      }
      const stored = this.#stored.key;
      if (stored !== null && (key === null || this.#before(stored, key))) {
        key = stored;
        source = 'stored';
      }
      this.key = key;
      this.#source = source;
      if (key === null || source === 'stored') return;
      const value = source === 'active' ? this.#active.value : (this.#committing as Cursor<V | null>).value;
      if (value !== null) return;
      this.#step();
    }
  }

  #before(a: Uint8Array, b: Uint8Array): boolean {
    const order = compareBytes(a, b);
    return this.#reverse ? order > 0 : order < 0;
  }
}

type Source = 'active' | 'committing' | 'stored';
