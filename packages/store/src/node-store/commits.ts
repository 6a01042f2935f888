import type { Platform, Timer } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { limits } from '../limits.ts';
import type { LayerStack } from '../mvcc/layer-stack.ts';
import { WriteBuffer } from '../mvcc/write-buffer.ts';
import type { OrderedStorage, TableWrites, WriteBatch } from '../storage.ts';
import type { MetaRow } from './store-part.ts';

/** What goes with a write buffer: rows of META, and who is to be told when they survive a crash. */
export interface FrozenRows {
  readonly rows: readonly MetaRow[];
  flushed(): void;
}

interface FrozenBuffer {
  readonly buffer: WriteBuffer;
  readonly frozen: FrozenRows;
}

interface DirectBatch {
  readonly batch: WriteBatch;
  readonly committed: (flushed: Promise<void>) => void;
}

/** Whose state it is that is committed. */
export interface Committed {
  /** Whether something has to be stored that is not in the active buffer. */
  isChanged(): boolean;
  /** Just before the active buffer becomes a commit. */
  freeze(): FrozenRows;
  /** How long what is applied may wait for one. */
  intervalMs(): number;
}

/**
 * Brings what is applied into the storage, commit by commit: when enough of it waits, or some time has passed. What is
 * applied meanwhile waits in the next buffer. Batches that have nothing to do with what is applied go between.
 */
export class Commits {
  readonly #platform: Platform;
  readonly #storage: OrderedStorage;
  readonly #stack: LayerStack;
  readonly #state: Committed;
  /** A commit is outstanding. */
  #committing: Promise<void> | null = null;
  /** Waiting for their commit, the oldest first; while one is outstanding that is not direct it is the first's. */
  #frozen: FrozenBuffer[] = [];
  #direct: DirectBatch[] = [];
  #lastWasDirect = false;
  #timer: Timer | null = null;
  #deferred = false;
  #suspended = false;
  #closed = false;
  /** Commits that the storage took and has not flushed. */
  #flushing: Promise<void> = Promise.resolve();
  /** Told how long each commit took. */
  observer: ((durationMs: number) => void) | null = null;

  constructor(platform: Platform, storage: OrderedStorage, stack: LayerStack, state: Committed) {
    this.#platform = platform;
    this.#storage = storage;
    this.#stack = stack;
    this.#state = state;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  get overloaded(): boolean {
    return this.#frozen.length > limits.frozenBuffers || this.bufferedBytes > limits.bufferedBytes;
  }

  get bufferedBytes(): number {
    const { active, frozen } = this.#stack;
    return frozen.reduce((sum, buffer) => sum + buffer.bytes, active.bytes);
  }

  get bufferedOperations(): number {
    const { active, frozen } = this.#stack;
    return frozen.reduce((sum, buffer) => sum + buffer.operations, active.operations);
  }

  /** Something was applied: makes a commit of it, or sets the time for one. */
  schedule(): void {
    if (this.#suspended || this.#closed) return;
    const { active } = this.#stack;
    if (active.operations >= limits.freezeOperations) this.#freeze();
    if (this.#committing !== null || this.#deferred) return;
    const much = active.operations >= limits.commitOperations || active.bytes >= limits.commitBytes;
    if (much || this.#frozen.length > 0 || this.#direct.length > 0) {
      // After the turn's answers have left: handing a commit over takes some milliseconds.
      this.#deferred = true;
      this.#platform.defer(() => {
        this.#deferred = false;
        this.#startIfIdle();
      });
      return;
    }
    if (this.#timer !== null || !this.#isDirty) return;
    this.#timer = this.#platform.timer(this.#state.intervalMs(), 'database-commit', () => {
      this.#timer = null;
      this.#startIfIdle();
    });
  }

  /** Commits what is applied, now. Resolves when it is in storage, flushed or not. */
  async now(): Promise<void> {
    if (!this.#suspended && !this.#closed && this.#isUnfrozen) this.#freeze();
    const last = this.#frozen.at(-1);
    while (last !== undefined && this.#frozen.includes(last) && !this.#suspended && !this.#closed) {
      await (this.#committing ?? this.#start());
    }
  }

  /** As {@link Commits.now}; resolves when it survives a crash. */
  async flush(): Promise<void> {
    await this.now();
    await this.#flushing;
  }

  /**
   * A batch whose keys nothing that is applied is about. Resolves when it is in storage, with the promise of its flush.
   */
  async direct(batch: WriteBatch): Promise<{ readonly flushed: Promise<void> }> {
    const committed = new Promise<{ readonly flushed: Promise<void> }>((resolve) => {
      this.#direct.push({ batch, committed: (flushed) => resolve({ flushed }) });
    });
    this.schedule();
    return committed;
  }

  /** From here on nothing is committed; what waits is given up by {@link Commits.restart}. */
  async suspend(): Promise<void> {
    this.#suspended = true;
    this.#timer?.cancel();
    this.#timer = null;
    while (this.#committing !== null) await this.#committing;
  }

  /** The storage has got another state. */
  restart(): void {
    this.#frozen = [];
    this.#stack.frozen = [];
    this.#stack.active = new WriteBuffer();
    this.#suspended = false;
  }

  /** Commits and flushes what is applied and closes the storage. */
  async close(): Promise<void> {
    if (this.#closed) return;
    if (!this.#suspended) await this.now();
    this.#closed = true;
    this.#timer?.cancel();
    while (this.#committing !== null) await this.#committing;
    await this.#storage.close();
    await this.#flushing;
  }

  get #isUnfrozen(): boolean {
    return this.#state.isChanged() || this.#stack.active.operations > 0;
  }

  get #isDirty(): boolean {
    return this.#frozen.length > 0 || this.#isUnfrozen;
  }

  /** What is applied becomes a commit, whenever its turn comes. */
  #freeze(): void {
    const stack = this.#stack;
    stack.settle();
    const frozen = this.#state.freeze();
    const buffer = stack.active;
    this.#frozen.push({ buffer, frozen });
    stack.frozen = [buffer, ...stack.frozen];
    stack.active = new WriteBuffer();
  }

  #startIfIdle(): void {
    if (this.#committing === null && !this.#suspended && !this.#closed) void this.#start();
  }

  #start(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    const isDirect = this.#direct.length > 0 && (!this.#lastWasDirect || !this.#isDirty);
    this.#lastWasDirect = isDirect;
    return isDirect ? this.#startDirect() : this.#startFrozen();
  }

  #startFrozen(): Promise<void> {
    if (this.#frozen.length === 0) this.#freeze();
    const { buffer, frozen } = this.#frozen[0] as FrozenBuffer;
    return this.#commit(
      buffer.encode(metaWrites(frozen.rows)),
      () => {
        this.#frozen.shift();
        this.#stack.frozen = this.#stack.frozen.slice(0, -1);
      },
      () => frozen.flushed(),
    );
  }

  #startDirect(): Promise<void> {
    const { batch, committed } = this.#direct.shift() as DirectBatch;
    let flushed = (): void => undefined;
    const flushing = new Promise<void>((resolve) => {
      flushed = resolve;
    });
    return this.#commit(batch, () => committed(flushing), flushed);
  }

  #commit(batch: WriteBatch, whenCommitted: () => void, whenFlushed: () => void): Promise<void> {
    const startMs = this.#platform.now();
    const commit = this.#storage.commit(batch);
    const committing = commit.committed.then(() => {
      this.observer?.(this.#platform.now() - startMs);
      whenCommitted();
      this.#committing = null;
      this.schedule();
    });
    const flushing = commit.flushed.then(whenFlushed);
    this.#committing = committing;
    this.#flushing = flushing;
    // A storage that cannot commit stops the member: state in memory that never reaches the disk must not grow.
    this.#platform.spawn('database-commit', () => committing);
    this.#platform.spawn('database-flush', () => flushing);
    return committing;
  }
}

/** Where a row is named twice, the last word counts. */
function metaWrites(rows: readonly MetaRow[]): TableWrites {
  const sorted = [...rows].sort((a, b) => compareBytes(a.key, b.key));
  const last = sorted.filter(({ key }, i) => {
    const next = sorted[i + 1];
    return next === undefined || compareBytes(key, next.key) !== 0;
  });
  return { keys: last.map(({ key }) => key), values: last.map(({ value }) => value) };
}
