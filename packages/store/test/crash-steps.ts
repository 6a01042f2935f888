import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Platform } from '@flotilla/platform';
import { openLmdb } from '../src/lmdb/index.ts';
import { MemoryImage, MemoryStorage } from '../src/memory/memory-storage.ts';
import { installingKey, stateKey } from '../src/mvcc/meta.ts';
import { storageTables, Table } from '../src/mvcc/tables.ts';
import type { Commit, OrderedStorage, WriteBatch } from '../src/storage.ts';

/** What a commit is about, in the terms of whoever makes it. */
export type BatchKind =
  | 'entries, and what compaction has removed'
  | 'the mark of an install in an emptied storage'
  | 'a part of an installed state'
  | 'the state record that ends an install';

/** How far a commit is: the points at which state reaches the disk. */
export type Boundary = 'is handed over' | 'can be read' | 'is durable' | 'is said to be over';

/** What a crash at one point would leave. */
export interface CrashImage {
  /** Number, commit and boundary, for reports. */
  readonly step: string;
  readonly kind: BatchKind;
  readonly boundary: Boundary;
  /** The last entry that was said to be durable. */
  readonly durable: number;
  /** Opens what is left. */
  readonly open: () => OrderedStorage;
}

/** A storage that survives crashes, and how to look at what they leave. */
export interface Medium {
  readonly name: string;
  readonly storage: OrderedStorage;
  /** What would be there after a crash now. */
  capture(): () => OrderedStorage;
  remove(): void;
}

/** The simulator's storage: a crash returns to the last flush. */
export function memoryMedium(platform: Platform): Medium {
  const open = (image: MemoryImage): OrderedStorage => {
    return new MemoryStorage(platform, storageTables, { image, maxCommitDelayMs: 1, maxFlushDelayMs: 2 });
  };
  const image = new MemoryImage();
  return {
    name: 'memory',
    storage: open(image),
    capture: () => {
      const { trees } = image;
      return () => {
        const left = new MemoryImage();
        left.trees = trees;
        return open(left);
      };
    },
    remove: () => undefined,
  };
}

/** The real one: a crash leaves the file as it is at that moment. */
export function lmdbMedium(): Medium {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-crash-'));
  const directory = join(root, 'state');
  mkdirSync(directory);
  let copies = 0;
  return {
    name: 'LMDB',
    storage: openLmdb(directory, storageTables),
    capture: () => {
      copies += 1;
      const copy = join(root, `copy-${copies}`);
      // The lock dies with its process.
      cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('lock.mdb') });
      return () => openLmdb(copy, storageTables);
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** Between a database and its storage: keeps what a crash would leave at every point of every commit. */
export class SteppedStorage implements OrderedStorage {
  readonly tables: readonly string[];
  readonly images: CrashImage[] = [];
  /** Told by the test: what its database says is durable. */
  durable: () => number = () => 0;
  readonly get: OrderedStorage['get'];
  readonly scan: OrderedStorage['scan'];
  readonly view: OrderedStorage['view'];
  readonly #medium: Medium;
  #recording = false;
  #commits = 0;

  constructor(medium: Medium) {
    const { storage } = medium;
    this.#medium = medium;
    this.tables = storage.tables;
    this.get = storage.get.bind(storage);
    this.scan = storage.scan.bind(storage);
    this.view = storage.view.bind(storage);
  }

  get reusableBytes(): number {
    return this.#medium.storage.reusableBytes;
  }

  get sizeBytes(): number {
    return this.#medium.storage.sizeBytes;
  }

  /** From here on. */
  record(): void {
    this.#recording = true;
  }

  /** Whoever asked for it believes from here on that it is there. */
  told(kind: BatchKind): void {
    this.#keep(this.#commits, kind, 'is said to be over');
  }

  commit(batch: WriteBatch): Commit {
    const kind = kindOf(batch);
    this.#commits += 1;
    const number = this.#commits;
    const { committed, flushed } = this.#medium.storage.commit(batch);
    this.#keep(number, kind, 'is handed over');
    return {
      committed: committed.then(() => this.#keep(number, kind, 'can be read')),
      flushed: flushed.then(() => this.#keep(number, kind, 'is durable')),
    };
  }

  close(): Promise<void> {
    return this.#medium.storage.close();
  }

  #keep(number: number, kind: BatchKind, boundary: Boundary): void {
    if (!this.#recording) return;
    const step = `commit ${number} (${kind}) ${boundary}`;
    this.images.push({ step, kind, boundary, durable: this.durable(), open: this.#medium.capture() });
  }
}

function kindOf(batch: WriteBatch): BatchKind {
  if (batch.clear) return 'the mark of an install in an emptied storage';
  const { keys, values } = batch.tables[Table.META] ?? { keys: [], values: [] };
  const has = (key: Uint8Array): number => keys.findIndex((other) => Buffer.compare(other, key) === 0);
  const mark = has(installingKey);
  if (mark >= 0 && values[mark] === null) return 'the state record that ends an install';
  return has(stateKey) >= 0 ? 'entries, and what compaction has removed' : 'a part of an installed state';
}
