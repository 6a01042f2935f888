import { FlotillaError, assert, isFlotillaError, messageOf } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import { open } from 'lmdb';
import type { Database, RangeOptions, RootDatabase, Transaction } from 'lmdb';
import type { Commit, Cursor, OrderedStorage, ScanRange, StorageView, WriteBatch } from '../storage.ts';

import { checkEnvironment } from './environment-check.ts';

type Table = Database<Uint8Array, Uint8Array>;

/**
 * Ordered storage in an LMDB environment: one named database per table, read through the memory map, written by
 * LMDB's own thread. Only the asynchronous write path is used: a synchronous transaction blocks the event loop for a
 * sync of the device. `noSync` is never used: with it nothing is ever synced and `flushed` resolves at once.
 *
 * Fails with `FLOTILLA_STORAGE_OPEN` (directory missing or not writable), `FLOTILLA_STORAGE_CORRUPT` (not an LMDB
 * environment, or a damaged one), `FLOTILLA_STORAGE_FULL` and `FLOTILLA_STORAGE_COMMIT`.
 */
export class LmdbStorage implements OrderedStorage {
  readonly tables: readonly string[];
  readonly #root: RootDatabase<Uint8Array, Uint8Array>;
  readonly #databases: readonly Table[];
  readonly #views = new Set<LmdbView>();
  #committing: Promise<void> | null = null;
  #lastFlush: Promise<void> = Promise.resolve();
  #failure: FlotillaError | null = null;
  #sizeBytes = 0;
  #closed = false;

  /** `directory` must exist. Use {@link openLmdb}. */
  constructor(directory: string, tables: readonly string[]) {
    this.tables = tables;
    const encoding = { keyEncoding: 'binary', encoding: 'binary', cache: false } as const;
    this.#root = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      maxDbs: tables.length,
      separateFlushed: true,
      ...encoding,
    });
    this.#databases = tables.map((name) => this.#root.openDB<Uint8Array, Uint8Array>({ name, ...encoding }));
    this.#measure();
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    return plain(this.#databases[table]!.get(key));
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return new LmdbCursor(this.#databases[table]!, range, null);
  }

  view(): StorageView {
    const view = new LmdbView(this.#databases, this.#root.useReadTransaction(), (done) => {
      this.#views.delete(done);
    });
    this.#views.add(view);
    return view;
  }

  commit(batch: WriteBatch): Commit {
    assert(!this.#closed, 'a closed storage takes no commit');
    assert(this.#committing === null, 'one commit is outstanding at a time');
    assert(batch.tables.length === this.tables.length, 'a batch has one element per table');
    const transaction = this.#root.batch(() => this.#write(batch)) as FlushedPromise;
    const committed = transaction.then(
      () => {
        this.#committing = null;
        this.#measure();
      },
      (error: unknown) => {
        this.#failure = commitError(error);
        throw this.#failure;
      },
    );
    this.#committing = committed;
    const flushed = Promise.all([committed, transaction.flushed, this.#lastFlush]).then(() => undefined);
    this.#lastFlush = flushed;
    return { committed, flushed };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const view of this.#views) view.release();
    if (this.#failure === null) await this.#lastFlush;
    await this.#root.close();
  }

  #write(batch: WriteBatch): void {
    for (let table = 0; table < batch.tables.length; table += 1) {
      const database = this.#databases[table]!;
      if (batch.clear) void database.clearAsync();
      const { keys, values } = batch.tables[table]!;
      for (let i = 0; i < keys.length; i += 1) {
        const value = values[i]!;
        // Inside a batch these promises are one shared, settled promise: the batch's own promise is what counts.
        if (value === null) void database.remove(keys[i]!);
        else void database.put(keys[i]!, value);
      }
    }
  }

  #measure(): void {
    const stats = this.#root.getStats() as { lastPageNumber: number; pageSize: number };
    this.#sizeBytes = (stats.lastPageNumber + 1) * stats.pageSize;
  }
}

/** Opens (or creates) an environment in an existing directory. */
export function openLmdb(directory: string, tables: readonly string[]): LmdbStorage {
  try {
    checkEnvironment(directory);
    return new LmdbStorage(directory, tables);
  } catch (error) {
    if (isFlotillaError(error)) throw error;
    throw openError(directory, error);
  }
}

interface FlushedPromise extends Promise<boolean> {
  readonly flushed: Promise<unknown>;
}

class LmdbView implements StorageView {
  readonly #databases: readonly Table[];
  readonly #released: (view: LmdbView) => void;
  #transaction: Transaction | null;

  constructor(databases: readonly Table[], transaction: Transaction, released: (view: LmdbView) => void) {
    this.#databases = databases;
    this.#transaction = transaction;
    this.#released = released;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    return plain(this.#databases[table]!.get(key, { transaction: this.#pinned() }));
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return new LmdbCursor(this.#databases[table]!, range, this.#pinned());
  }

  release(): void {
    if (this.#transaction === null) return;
    this.#transaction.done();
    this.#transaction = null;
    this.#released(this);
  }

  #pinned(): Transaction {
    assert(this.#transaction !== null, 'a released view is not read');
    return this.#transaction;
  }
}

class LmdbCursor implements Cursor<Uint8Array> {
  key: Uint8Array | null = null;
  value!: Uint8Array;
  #iterator: Iterator<{ key: Uint8Array; value: Uint8Array }> | null;

  constructor(database: Table, range: ScanRange, transaction: Transaction | null) {
    this.#iterator = database.getRange(rangeOptions(range, transaction))[Symbol.iterator]();
    this.advance();
  }

  advance(): void {
    if (this.#iterator === null) return;
    const { done, value } = this.#iterator.next();
    if (done === true) {
      this.#iterator = null;
      this.key = null;
      return;
    }
    this.key = plain(value.key);
    this.value = plain(value.value)!;
  }

  close(): void {
    this.key = null;
    this.#iterator?.return?.();
    this.#iterator = null;
  }
}

/** Buffers become plain arrays: one hidden class for the code above, and a `slice` that copies. */
function plain(bytes: Uint8Array | undefined): Uint8Array | null {
  return bytes === undefined ? null : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** LMDB walks in reverse from `start` down to `end`; both ends of our ranges keep their sense. */
function rangeOptions(range: ScanRange, transaction: Transaction | null): RangeOptions {
  const options: RangeOptions & { exclusiveStart?: boolean; inclusiveEnd?: boolean } = {};
  if (transaction !== null) options.transaction = transaction;
  if (range.reverse) {
    options.reverse = true;
    if (range.to !== null) {
      options.start = range.to;
      options.exclusiveStart = true;
    }
    if (range.from !== null) {
      options.end = range.from;
      options.inclusiveEnd = true;
    }
  } else {
    if (range.from !== null) options.start = range.from;
    if (range.to !== null) options.end = range.to;
  }
  return options;
}

function openError(directory: string, error: unknown): FlotillaError {
  const message = messageOf(error);
  const damaged = /MDB_INVALID|MDB_CORRUPTED|MDB_VERSION|MDB_PAGE|not an LMDB file|corrupt/i.test(message);
  const code: ErrorCode = damaged ? 'FLOTILLA_STORAGE_CORRUPT' : 'FLOTILLA_STORAGE_OPEN';
  return new FlotillaError(code, `cannot open the storage in ${directory}: ${message}`, { cause: error });
}

function commitError(error: unknown): FlotillaError {
  const message = messageOf(error);
  const full = /MDB_MAP_FULL|ENOSPC|no space/i.test(message);
  const code: ErrorCode = full ? 'FLOTILLA_STORAGE_FULL' : 'FLOTILLA_STORAGE_COMMIT';
  return new FlotillaError(code, `storage commit failed: ${message}`, { cause: error });
}
