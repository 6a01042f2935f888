import { FlotillaError, assert, isFlotillaError, messageOf } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import { open } from 'lmdb';
import type { DatabaseOptions, RootDatabase, Transaction } from 'lmdb';
import { limits } from '../limits.ts';
import type {
  Commit,
  Cursor,
  OrderedStorage,
  ScanRange,
  StorageView,
  TableWrites,
  WriteBatch,
} from '../storage.ts';
import { checkEnvironment } from './environment-check.ts';
import { LmdbCursor } from './lmdb-cursor.ts';
import { LongKeyWriter, getLong, nextNode, tablePlace } from './long-keys.ts';
import type { Place, Table } from './long-keys.ts';
import { plainKeys, plainValues } from './plain-bytes.ts';

/** Where long keys go on; not a name that a caller may give a table. */
const nodesName = 'long keys';

/**
 * After a kill LMDB would go on from its newest commit, flushed or not, as long as the machine was not started anew.
 * What is found at start counts as flushed here, and the log is cut up to there: a power cut later, or a sync that had
 * failed before the kill, would then leave a hole that nobody can fill. The log replays the difference instead.
 * Types of lmdb-js leave the option out.
 */
const onlyWhatIsFlushed = { safeRestore: true };

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
  readonly #reader: TableReader;
  readonly #nodes: Table;
  readonly #maxKeyBytes: number;
  #nextNode: number;
  readonly #views = new Set<LmdbView>();
  #committing: Promise<void> | null = null;
  #lastFlush: Promise<void> = Promise.resolve();
  #failure: FlotillaError | null = null;
  #sizeBytes = 0;
  #closed = false;

  /** `directory` must exist. Use {@link openLmdb}. */
  constructor(directory: string, tables: readonly string[]) {
    this.tables = tables;
    // Types of lmdb-js leave both encoders out.
    const tableOptions = { encoder: plainValues, keyEncoder: plainKeys, cache: false } as DatabaseOptions;
    this.#root = open<Uint8Array, Uint8Array>({
      path: directory,
      noSubdir: false,
      maxDbs: tables.length + 1,
      separateFlushed: true,
      keyEncoding: 'binary',
      encoding: 'binary',
      cache: false,
      ...onlyWhatIsFlushed,
      mapSize: limits.storageMapBytes,
      maxReaders: limits.storageViews,
    });
    const openTable = (name: string): Table => this.#root.openDB({ name, ...tableOptions });
    this.#maxKeyBytes = (this.#root as unknown as { readonly maxKeySize: number }).maxKeySize;
    this.#nodes = openTable(nodesName);
    this.#nextNode = nextNode(this.#nodes);
    const places = tables.map((name) => tablePlace(openTable(name), name, this.#maxKeyBytes));
    this.#reader = new TableReader(places, this.#nodes, this.#maxKeyBytes);
    this.#measure();
  }

  get reusableBytes(): number {
    if (this.#closed) return 0;
    let used = 0;
    for (const { database } of [...this.#reader.places, { database: this.#nodes }])
      used += usedBytes(database);
    return Math.max(0, this.#sizeBytes - used);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    return this.#reader.get(table, key, null);
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return this.#reader.scan(table, range, null);
  }

  view(): StorageView {
    const view = new LmdbView(this.#reader, this.#root.useReadTransaction(), (done) => {
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

  /** Inside a batch the promises of writes are one settled promise: the batch's own is what counts. */
  #write(batch: WriteBatch): void {
    const { places } = this.#reader;
    if (batch.clear) {
      for (const { database } of places) void database.clearAsync();
      void this.#nodes.clearAsync();
    }
    let long: LongKeyWriter | null = null;
    for (let table = 0; table < batch.tables.length; table += 1) {
      const place = places[table] as Place;
      const { database, capacity } = place;
      const { keys, values } = batch.tables[table] as TableWrites;
      for (let i = 0; i < keys.length; i += 1) {
        const key = keys[i] as Uint8Array;
        const value = values[i] as Uint8Array | null;
        if (key.length > capacity) {
          long ??= new LongKeyWriter(this.#nodes, this.#maxKeyBytes, batch.clear, this.#nextNode);
          if (value === null) long.remove(place, key);
          else long.put(place, key, value);
        } else if (value === null) void database.remove(key);
        else void database.put(key, value);
      }
    }
    if (long === null) return;
    long.finish();
    this.#nextNode = long.nextNode;
  }

  #measure(): void {
    const stats = this.#root.getStats() as { lastPageNumber: number; pageSize: number };
    this.#sizeBytes = (stats.lastPageNumber + 1) * stats.pageSize;
  }
}

interface TableStats {
  readonly pageSize: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
}

function usedBytes(database: { getStats(): object }): number {
  const stats = database.getStats() as TableStats;
  return stats.pageSize * (stats.treeBranchPageCount + stats.treeLeafPageCount + stats.overflowPages);
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

/** Reads the tables, at a pinned transaction or at the last commit. */
class TableReader {
  readonly places: readonly Place[];
  readonly #nodes: Table;
  readonly #maxKeyBytes: number;

  constructor(places: readonly Place[], nodes: Table, maxKeyBytes: number) {
    this.places = places;
    this.#nodes = nodes;
    this.#maxKeyBytes = maxKeyBytes;
  }

  get(table: number, key: Uint8Array, transaction: Transaction | null): Uint8Array | null {
    const place = this.places[table] as Place;
    const options = transaction === null ? undefined : { transaction };
    const value =
      key.length <= place.capacity
        ? place.database.get(key, options)
        : getLong(
            place,
            key,
            (database, part) => database.get(part, options),
            this.#nodes,
            this.#maxKeyBytes,
          );
    return value ?? null;
  }

  scan(table: number, range: ScanRange, transaction: Transaction | null): Cursor<Uint8Array> {
    return new LmdbCursor(this.places[table] as Place, range, transaction, this.#nodes, this.#maxKeyBytes);
  }
}

class LmdbView implements StorageView {
  readonly #reader: TableReader;
  readonly #released: (view: LmdbView) => void;
  #transaction: Transaction | null;

  constructor(reader: TableReader, transaction: Transaction, released: (view: LmdbView) => void) {
    this.#reader = reader;
    this.#transaction = transaction;
    this.#released = released;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    return this.#reader.get(table, key, this.#pinned());
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return this.#reader.scan(table, range, this.#pinned());
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
