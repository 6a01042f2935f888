import { assert } from '@flotilla/platform';
import { FilterType, WatchCreateRequest } from '@flotilla/wire';
import type { WatchResponse } from '@flotilla/wire';
import { WatchCompactedError, toEtcdError } from '../errors.ts';
import { limits } from '../limits.ts';
import { keyRange } from '../span.ts';
import type { KeyOrSpan } from '../span.ts';
import { deferred } from '../waiting.ts';
import { toWatchEvent } from './event.ts';
import type { WatchBatch, WatchEvent } from './event.ts';

export interface WatchOptions {
  /** The first revision of interest; absent: what comes after now. */
  readonly startRevision?: number;
  /** Whether events say what was there before. */
  readonly previous?: boolean;
  /** Only puts, or only deletions. */
  readonly only?: 'put' | 'delete';
  /**
   * What to do when history that is to be delivered was compacted: `fail` ends the watch with a
   * {@link WatchCompactedError}, `skip` goes on with the oldest that is left and says so in a batch.
   */
  readonly compacted?: 'fail' | 'skip';
  /** Whether batches without events tell how far the watch is, now and then. */
  readonly progress?: boolean;
  /** Events that wait for the reader; beyond it the server is held back. */
  readonly bufferedEvents?: number;
  /** Ends the watch, well. */
  readonly signal?: AbortSignal;
}

/** What the stream under a watch does for it. */
export interface WatchSource {
  /** Called once: the watch wants nothing more. */
  ended(watcher: Watcher): void;
  /** There is room in the buffer again. */
  drained(watcher: Watcher): void;
}

/**
 * The changes of a key or span, each revision once, in order and as a whole, whatever becomes of connections and
 * servers meanwhile. Read it as an async iterable of batches, or with {@link events}; one reader, as with a stream.
 *
 * @example
 * for await (const { revision, events } of client.watch({ prefix: 'jobs/' })) …
 */
export class Watcher implements AsyncIterableIterator<WatchBatch> {
  readonly #keys: KeyOrSpan;
  readonly #options: WatchOptions;
  readonly #source: WatchSource;
  readonly #ready = deferred<number>();
  readonly #bufferedMax: number;
  readonly #onAbort = (): void => this.#end(null);
  #queue: WatchBatch[] = [];
  #buffered = 0;
  /** Of the revision whose events are still coming; null: none. */
  #partial: { readonly revision: number; readonly events: WatchEvent[] } | null = null;
  /** The first revision that was not seen yet; 0: the watch has not begun. */
  #next: number;
  /** Undefined: it goes on; null: it has ended well. */
  #ended: Error | null | undefined;
  #reader: ((result: IteratorResult<WatchBatch> | Promise<never>) => void) | null = null;

  constructor(keys: KeyOrSpan, options: WatchOptions, source: WatchSource) {
    this.#keys = keys;
    this.#options = options;
    this.#source = source;
    this.#next = options.startRevision ?? 0;
    this.#bufferedMax = options.bufferedEvents ?? limits.watchBufferedEvents;
    this.#ready.promise.catch(ignore);
    options.signal?.addEventListener('abort', this.#onAbort);
  }

  /** Resolves when a server has taken the watch, with the first revision that it will deliver. */
  get ready(): Promise<number> {
    return this.#ready.promise;
  }

  /** All changes up to this revision were delivered, or wait to be read. 0: the watch has not begun. */
  get revision(): number {
    return Math.max(0, this.#next - 1);
  }

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Rejects when the watch fails; says `done` when it has ended. */
  next(): Promise<IteratorResult<WatchBatch>> {
    const batch = this.#queue.shift();
    if (batch !== undefined) {
      const wasFull = this.isFull;
      this.#buffered -= weight(batch);
      if (wasFull && !this.isFull) this.#source.drained(this);
      return Promise.resolve({ done: false, value: batch });
    }
    if (this.#ended === null) return Promise.resolve({ done: true, value: undefined });
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    assert(this.#reader === null, 'one read of a watch at a time');
    return new Promise((resolve) => (this.#reader = resolve));
  }

  /** Ends the watch; what waits to be read is dropped. */
  return(): Promise<IteratorResult<WatchBatch>> {
    this.#queue = [];
    this.#end(null);
    return Promise.resolve({ done: true, value: undefined });
  }

  close(): void {
    void this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  /** The changes one by one, without their revisions' borders. */
  async *events(): AsyncGenerator<WatchEvent> {
    for await (const { events } of this) yield* events;
  }

  /**
   * Calls back for each batch, and waits for what the callback answers before the next: a slow one holds the server
   * back. Resolves when the watch ends, rejects when it or the callback fails.
   */
  async forEach(callback: (batch: WatchBatch) => unknown): Promise<void> {
    for await (const batch of this) await callback(batch);
  }

  /** For the stream: what to ask a server for. */
  get request(): WatchCreateRequest {
    const { previous, only } = this.#options;
    return WatchCreateRequest.create({
      ...keyRange(this.#keys),
      startRevision: this.#next,
      // Without notices a watch of quiet keys would ask, after a failure, for history that is long compacted.
      progressNotify: true,
      filters: only === undefined ? [] : [only === 'put' ? FilterType.NODELETE : FilterType.NOPUT],
      prevKv: previous ?? false,
      fragment: true,
    });
  }

  /** For the stream: the buffer takes no more. */
  get isFull(): boolean {
    return this.#ended === undefined && this.#buffered >= this.#bufferedMax;
  }

  /** For the stream: a server has taken the watch. */
  created(revision: number): void {
    if (this.#next === 0) this.#next = revision + 1;
    this.#ready.resolve(this.#next);
  }

  /** For the stream: the connection is lost; the rest of what has come in parts will come again as a whole. */
  detached(): void {
    this.#partial = null;
  }

  /** For the stream: events, or a notice that there are none up to the header's revision. */
  receive(response: WatchResponse): void {
    if (this.#ended !== undefined) return;
    for (const event of response.events) {
      const { kv } = event;
      if (kv === null || kv.modRevision < this.#next) continue;
      if (this.#partial !== null && this.#partial.revision !== kv.modRevision) this.#finishRevision();
      this.#partial ??= { revision: kv.modRevision, events: [] };
      this.#partial.events.push(toWatchEvent(event, kv));
    }
    if (response.fragment) return;
    this.#finishRevision();
    if (response.events.length === 0) this.#progress(response.header?.revision ?? 0);
  }

  /** For the stream: history up to `compactRevision` is gone. False: the watch has ended by it. */
  compacted(compactRevision: number): boolean {
    if (this.#options.compacted !== 'skip') {
      this.#end(new WatchCompactedError(this.#next, compactRevision));
      return false;
    }
    const lost = { from: this.#next, to: compactRevision - 1 };
    this.#next = compactRevision;
    this.#push({ revision: lost.to, events: [], lost });
    return true;
  }

  /** For the stream: it will not go on. What was received is still delivered. */
  fail(error: unknown): void {
    this.#end(toEtcdError(error, 'not executed'));
  }

  #finishRevision(): void {
    const partial = this.#partial;
    if (partial === null) return;
    this.#partial = null;
    this.#next = partial.revision + 1;
    this.#push({ ...partial, lost: null });
  }

  #progress(revision: number): void {
    if (revision < this.#next) return;
    this.#next = revision + 1;
    if (this.#options.progress === true) this.#push({ revision, events: [], lost: null });
  }

  #push(batch: WatchBatch): void {
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader({ done: false, value: batch });
      return;
    }
    this.#queue.push(batch);
    this.#buffered += weight(batch);
  }

  #end(error: Error | null): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    const reader = this.#reader;
    this.#reader = null;
    if (error === null) {
      this.#ready.reject(new Error('the watch has ended'));
      reader?.({ done: true, value: undefined });
    } else {
      this.#ready.reject(error);
      reader?.(Promise.reject(error));
    }
    this.#source.ended(this);
  }
}

/** A notice takes room too. */
function weight(batch: WatchBatch): number {
  return Math.max(1, batch.events.length);
}

function ignore(): void {}
