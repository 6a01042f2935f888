import { assert } from '@flotilla/platform';
import type { Platform, Timer } from '@flotilla/platform';
import type { WatchCreateRequest } from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import type { Change } from '../mvcc/state.ts';
import type { Feed, FeedParts } from './feed.ts';
import { HeldFeed } from './held-feed.ts';
import type { SharedHistory } from './history.ts';
import { LocalFeed } from './local-feed.ts';
import { SharedFeed } from './shared-feed.ts';
import { WatchStream } from './stream.ts';
import type { WatchSink } from './stream.ts';
import { Watcher } from './watcher.ts';
import { Watchers } from './watchers.ts';

/** Bounds; the defaults are in `limits.ts`. */
export interface WatchHubOptions {
  /** A response of a watcher that asked for fragments is cut at this size. */
  readonly fragmentBytes: number;
  /** Between progress notices, up to a tenth more. */
  readonly progressIntervalMs: number;
  readonly streamBufferBytes: number;
  readonly streamBufferResponses: number;
  readonly batchBytes: number;
  readonly batchEvents: number;
  readonly sliceWatchers: number;
  readonly sliceEvents: number;
}

const defaults: WatchHubOptions = {
  fragmentBytes: limits.watchFragmentBytes,
  progressIntervalMs: limits.watchProgressIntervalMs,
  streamBufferBytes: limits.watchStreamBufferBytes,
  streamBufferResponses: limits.watchStreamBufferResponses,
  batchBytes: limits.watchBatchBytes,
  batchEvents: limits.watchBatchEvents,
  sliceWatchers: limits.watchSliceWatchers,
  sliceEvents: limits.watchSliceEvents,
};

/**
 * Tells watchers what changed. Those that are synced are fed as changes come; those that are not (they asked for the
 * past, or their client was slow) read the stored history in slices, many together, until they have caught up. Apply is
 * never held up: what a slow client does not take is read again from history later.
 *
 * Changes and history are those of one group's state, or, from {@link WatchHub.follow} on, those of many shards.
 *
 * Every watcher sees each event of its range that its filters let through, from its start revision on, once, in
 * order of revision and sub-revision, the events of a revision never split over responses unless it asked for
 * fragments; or it is cancelled, with the compaction revision, when history that it needs is gone.
 *
 * @example
 * const stream = database.watches.open({ send: (response) => connection.write(WatchResponse.encode(response)) });
 * stream.request(WatchRequest.decode(bytes));
 */
export class WatchHub {
  readonly options: WatchHubOptions;
  /** Since the start, to all watches. */
  eventsSent = 0;
  readonly #platform: Platform;
  readonly #streams = new Set<WatchStream>();
  readonly #watchers = new Watchers();
  readonly #parts: FeedParts;
  /** Null: not of the state of one group here, any more. */
  #local: LocalFeed | null;
  #feed: Feed;
  #toFlush = new Set<WatchStream>();
  #closed = false;

  constructor(platform: Platform, point: ReadPoint, options: Partial<WatchHubOptions> = {}) {
    this.#platform = platform;
    this.options = { ...defaults, ...options };
    this.#parts = { platform, watchers: this.#watchers, bounds: this.options };
    this.#local = new LocalFeed(this.#parts, point);
    this.#feed = this.#local;
  }

  /** Synced watchers know everything up to here. */
  get revision(): number {
    return this.#feed.revision;
  }

  /** That is known here to be, whether watchers were told or not. */
  get newestRevision(): number {
    return this.#feed.newestRevision;
  }

  /** Watchers that wait for history: slow ones, and new ones that begin in the past. */
  get behindCount(): number {
    return this.#watchers.behind.size;
  }

  get watcherCount(): number {
    return this.#watchers.size;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether anybody wants to be told of changes as they are applied. */
  get listening(): boolean {
    return this.#local !== null && this.#watchers.synced.size > 0;
  }

  open(sink: WatchSink): WatchStream {
    assert(!this.#closed, 'a closed hub opens no stream');
    const stream = new WatchStream(this, sink);
    this.#streams.add(stream);
    return stream;
  }

  close(): void {
    this.#closed = true;
    this.#feed.close();
    for (const stream of this.#streams) stream.close();
  }

  // The side of whoever has the state. Of no effect when that is not what watchers are told of any more.

  /** The changes of one applied batch, whole revisions in order. The state has them already. */
  publish(changes: readonly Change[]): void {
    this.#local?.publish(changes);
  }

  /** From here on history is read at `point`, which is as new as what was published. */
  readFrom(point: ReadPoint): void {
    this.#local?.readFrom(point);
  }

  /** The state was replaced by a newer one: whoever was synced has to read what lies between. */
  restore(point: ReadPoint): void {
    if (this.#local === null) return;
    const before = this.#local.revision;
    this.#local.readFrom(point);
    for (const watcher of this.#watchers.synced) {
      this.#watchers.fallBehind(watcher, Math.max(watcher.nextRevision, before + 1));
    }
    this.#local.wake();
  }

  /** What was published up to now is all that is told until {@link WatchHub.follow} says of what else. */
  hold(): void {
    if (this.#local === null) return;
    this.#local.close();
    this.#feed = new HeldFeed(this.#local.revision);
    this.#local = null;
  }

  /**
   * From here on watchers are told of a history that lies elsewhere, after {@link WatchHub.hold}: nobody misses anything
   * between. The answer is to be called whenever that history may have grown.
   */
  follow(history: SharedHistory): () => void {
    const held = this.#feed;
    assert(held instanceof HeldFeed, 'what is told next follows on what was told');
    const shared = new SharedFeed(this.#parts, history, held.revision);
    this.#feed = shared;
    if (this.#closed) shared.close();
    held.replacedBy(shared);
    shared.wake();
    return () => shared.grown();
  }

  /** Users or roles have changed: nobody sees from here on what it may not see any more. */
  review(): void {
    // What happened before was seen by whoever was allowed to see it then.
    this.#feed.whenTold(() => {
      for (const stream of this.#streams) stream.review();
    });
  }

  // The streams' side.

  /** The revision after which a watch begins that begins now. */
  newest(): number | Promise<number> {
    return this.#feed.newest();
  }

  /** `newest`: of one that begins now. */
  add(stream: WatchStream, id: number, request: WatchCreateRequest, newest: number): Watcher {
    const { startRevision } = request;
    const next = startRevision === 0 ? newest + 1 : startRevision;
    const watcher = new Watcher(stream, id, request, next);
    if (this.#feed.isAhead(next)) {
      this.#watchers.becomeSynced(watcher);
    } else {
      this.#watchers.behind.add(watcher);
      this.#feed.wake();
    }
    return watcher;
  }

  remove(watcher: Watcher): void {
    this.#watchers.remove(watcher);
  }

  closed(stream: WatchStream): void {
    this.#streams.delete(stream);
    this.#toFlush.delete(stream);
  }

  /** A stream takes events (again). */
  resume(): void {
    if (this.#watchers.behind.size > 0) this.#feed.wake();
  }

  flushSoon(stream: WatchStream): void {
    this.#toFlush.add(stream);
    if (this.#toFlush.size > 1) return;
    this.#platform.defer(() => {
      const streams = this.#toFlush;
      this.#toFlush = new Set();
      for (const ready of streams) ready.flush();
    });
  }

  progressTimer(callback: () => void): Timer {
    const jitter = 1 + this.#platform.random.float() / 10;
    return this.#platform.timer(this.options.progressIntervalMs * jitter, 'watch-progress', callback);
  }
}
