import { assert, present } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { copyBytes } from '../bytes.ts';
import type {
  Commit,
  Cursor,
  OrderedStorage,
  ScanRange,
  StorageView,
  TableWrites,
  WriteBatch,
} from '../storage.ts';
import { ByteTree } from '../tree/byte-tree.ts';

/**
 * What a crash leaves behind: the last flushed commit. The simulator hands the image of one life of a node to the
 * next; the platform of a crashed node is silent, so nothing of the old life changes it any more.
 */
export class MemoryImage {
  trees: readonly ByteTree<Uint8Array>[] = [];
}

export interface MemoryStorageOptions {
  /** Null: nothing is to survive. */
  readonly image: MemoryImage | null;
  /** A commit resolves up to this much later. 0: at the end of the turn. */
  readonly maxCommitDelayMs: number;
  /** A flush completes up to this much after its commit. 0: with it. */
  readonly maxFlushDelayMs: number;
}

/**
 * Ordered storage on the heap, for simulations and for members that keep nothing. Commits and flushes complete late,
 * as those of a disk do, so that whoever reads before the commit or trusts before the flush is found out.
 *
 * @example
 * const image = new MemoryImage();
 * const storage = new MemoryStorage(platform, tables, { image, maxCommitDelayMs: 5, maxFlushDelayMs: 100 });
 * // the node crashes; its next life sees what was flushed:
 * const survivor = new MemoryStorage(nextPlatform, tables, { image, maxCommitDelayMs: 5, maxFlushDelayMs: 100 });
 */
export class MemoryStorage implements OrderedStorage {
  readonly tables: readonly string[];
  readonly #platform: Platform;
  readonly #options: MemoryStorageOptions;
  #trees: ByteTree<Uint8Array>[];
  #sizeBytes = 0;
  #committing = false;
  #closed = false;
  #lastFlush: Promise<void> = Promise.resolve();
  /** One flush at a time, as a disk has it: what is committed meanwhile shares the next one. */
  #flushing = false;
  #unflushed: (() => void)[] = [];

  constructor(platform: Platform, tables: readonly string[], options: MemoryStorageOptions) {
    this.tables = tables;
    this.#platform = platform;
    this.#options = options;
    const survived = options.image?.trees ?? [];
    assert(
      survived.length === 0 || survived.length === tables.length,
      'a memory image is opened with the tables that it was made with',
    );
    this.#trees = tables.map((_, table) => survived[table]?.clone() ?? new ByteTree<Uint8Array>(copyBytes));
    for (const tree of this.#trees) {
      for (const cursor = tree.scan(wholeTable); cursor.key !== null; cursor.advance()) {
        this.#sizeBytes += entryBytes(cursor.key, cursor.value);
      }
    }
  }

  get reusableBytes(): number {
    return 0;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    assertKey(key);
    return (this.#trees[table] as ByteTree<Uint8Array>).get(key) ?? null;
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return (this.#trees[table] as ByteTree<Uint8Array>).scan(range);
  }

  view(): StorageView {
    return new MemoryView(this.#trees.map((tree) => tree.clone()));
  }

  commit(batch: WriteBatch): Commit {
    assert(!this.#closed, 'a closed storage takes no commit');
    assert(!this.#committing, 'one commit is outstanding at a time');
    assert(batch.tables.length === this.tables.length, 'a batch has one element per table');
    this.#committing = true;
    const committed = this.#later(this.#options.maxCommitDelayMs, 'storage-commit').then(() => {
      this.#apply(batch);
      this.#committing = false;
    });
    const flushed = committed.then(() => this.#flushed());
    this.#lastFlush = flushed;
    return { committed, flushed };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#lastFlush;
  }

  #apply(batch: WriteBatch): void {
    if (batch.clear) {
      for (const tree of this.#trees) tree.clear();
      this.#sizeBytes = 0;
    }
    for (let table = 0; table < batch.tables.length; table += 1) {
      const { keys, values } = batch.tables[table] as TableWrites;
      const tree = this.#trees[table] as ByteTree<Uint8Array>;
      for (let i = 0; i < keys.length; i += 1) {
        this.#write(tree, keys[i] as Uint8Array, values[i] as Uint8Array | null);
      }
    }
  }

  #write(tree: ByteTree<Uint8Array>, key: Uint8Array, value: Uint8Array | null): void {
    const before = value === null ? tree.delete(key) : tree.set(key, value);
    if (before !== undefined) this.#sizeBytes -= entryBytes(key, before);
    if (value !== null) this.#sizeBytes += entryBytes(key, value);
  }

  /** Resolves when what is committed by now survives a crash. */
  #flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#unflushed.push(resolve);
      if (!this.#flushing) this.#flush();
    });
  }

  #flush(): void {
    const { image, maxFlushDelayMs } = this.#options;
    const covered = this.#unflushed;
    this.#unflushed = [];
    this.#flushing = true;
    const trees = image === null ? null : this.#trees.map((tree) => tree.clone());
    const done = (): void => {
      if (image !== null && trees !== null) image.trees = trees;
      this.#flushing = false;
      for (const resolve of covered) resolve();
      if (this.#unflushed.length > 0) this.#flush();
    };
    if (maxFlushDelayMs === 0) done();
    else void this.#later(maxFlushDelayMs, 'storage-flush').then(done);
  }

  #later(maxDelayMs: number, label: string): Promise<void> {
    return new Promise((resolve) => {
      if (maxDelayMs === 0) this.#platform.defer(resolve);
      else this.#platform.timer(this.#platform.random.float() * maxDelayMs, label, resolve);
    });
  }
}

const wholeTable: ScanRange = { from: null, to: null, reverse: false };

/** Two array slots and two byte-array headers beside the bytes. */
function entryBytes(key: Uint8Array, value: Uint8Array): number {
  return key.length + value.length + 160;
}

class MemoryView implements StorageView {
  #trees: readonly ByteTree<Uint8Array>[] | null;

  constructor(trees: readonly ByteTree<Uint8Array>[]) {
    this.#trees = trees;
  }

  get(table: number, key: Uint8Array): Uint8Array | null {
    assertKey(key);
    return (present(this.#trees, 'a released view')[table] as ByteTree<Uint8Array>).get(key) ?? null;
  }

  scan(table: number, range: ScanRange): Cursor<Uint8Array> {
    return (present(this.#trees, 'a released view')[table] as ByteTree<Uint8Array>).scan(range);
  }

  release(): void {
    this.#trees = null;
  }
}

/** LMDB has none that is empty. */
function assertKey(key: Uint8Array): void {
  assert(key.length > 0, 'a key of a storage has a byte');
}
