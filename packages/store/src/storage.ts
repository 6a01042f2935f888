/**
 * Ordered storage: tables of byte keys in lexicographic order. All that the database asks of what lies below it, so
 * that LMDB and memory can take each other's place; `test/storage-contract.ts` is what both must pass.
 *
 * Reads are synchronous and see the last commit. Commits are asynchronous, atomic over all tables, and visible when
 * they resolve. Durability is a separate and later fact: `flushed`.
 */
export interface OrderedStorage extends StorageReader {
  /** Names of the tables; a table is addressed by its place in this list. */
  readonly tables: readonly string[];
  /** Pins the last commit. Cheap; an unreleased view keeps old pages alive, so release it. */
  view(): StorageView;
  /**
   * Starts the only outstanding commit: the next one waits for `committed`. The bytes of the batch are the
   * storage's from then on; its keys it copies when it keeps them, since they are often views of whole requests. A
   * commit that fails leaves the storage as it was and makes every later commit fail: the state on
   * disk is no longer known to follow the state in memory, so the member must stop.
   */
  commit(batch: WriteBatch): Commit;
  /** What the stored data takes, pages that are free for reuse included. */
  readonly sizeBytes: number;
  /** Of {@link OrderedStorage.sizeBytes}, pages that are free for reuse. To be asked for now and then only. */
  readonly reusableBytes: number;
  /** Waits for an outstanding commit and its flush. Releases every view. */
  close(): Promise<void>;
}

export interface StorageReader {
  /** Null when the key is absent. The bytes are the caller's to keep, not to change. */
  get(table: number, key: Uint8Array): Uint8Array | null;
  /** Entries with `from <= key < to` in key order, or in reverse. Close the cursor unless it ran to its end. */
  scan(table: number, range: ScanRange): Cursor<Uint8Array>;
}

export interface StorageView extends StorageReader {
  /** Idempotent. Reading a released view is an assertion failure. */
  release(): void;
}

export interface ScanRange {
  /** Inclusive; null: from the first key. */
  readonly from: Uint8Array | null;
  /** Exclusive; null: to the last key. */
  readonly to: Uint8Array | null;
  readonly reverse: boolean;
}

/** Stands on an entry, or (`key` null) beyond the last one. Valid until the next write to what it reads. */
export interface Cursor<V> {
  readonly key: Uint8Array | null;
  /** Meaningless when `key` is null. */
  readonly value: V;
  advance(): void;
  /** Idempotent. */
  close(): void;
}

/** What changes in one table: parallel arrays, sorted by key, no key twice. A null value removes the key. */
export interface TableWrites {
  readonly keys: readonly Uint8Array[];
  readonly values: readonly (Uint8Array | null)[];
}

export interface WriteBatch {
  /** Everything that was stored goes first, in the same transaction. */
  readonly clear: boolean;
  /** One element per table of the storage. */
  readonly tables: readonly TableWrites[];
}

export interface Commit {
  /** Resolves when reads see the batch. */
  readonly committed: Promise<void>;
  /** Resolves when the batch, and every one before it, survives a crash. Never before `committed`. */
  readonly flushed: Promise<void>;
}
