import { assert } from '@flotilla/platform';
import type { Platform, Timer } from '@flotilla/platform';
import { EventType } from '@flotilla/wire';
import type { Event, KeyValue, WatchCreateRequest } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { EventCursor } from '../mvcc/event-log.ts';
import type { EventRecord } from '../mvcc/event-log.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import type { Change } from '../mvcc/state.ts';
import { eventBytes } from './event-size.ts';
import { WatchStream } from './stream.ts';
import type { WatchSink } from './stream.ts';
import { Watcher } from './watcher.ts';
import { WatcherIndex } from './watcher-index.ts';

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
 * Tells watchers what changed. Those that are synced are fed from the changes of each applied batch; those that are
 * not (they asked for the past, or their client was slow) read the stored history in slices, many together, until
 * they have caught up. Apply is never held up: what a slow client does not take is read again from history later.
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
  /** Where history is read. */
  #point: ReadPoint;
  readonly #streams = new Set<WatchStream>();
  readonly #synced = new WatcherIndex<Watcher>();
  readonly #syncedWatchers = new Set<Watcher>();
  /** In the order in which they take turns. */
  readonly #behind = new Set<Watcher>();
  #toFlush = new Set<WatchStream>();
  #resyncScheduled = false;
  #closed = false;

  constructor(platform: Platform, point: ReadPoint, options: Partial<WatchHubOptions> = {}) {
    this.#platform = platform;
    this.#point = point;
    this.options = { ...defaults, ...options };
  }

  get revision(): number {
    return this.#point.revision;
  }

  /** Watches that wait for history: slow ones, and new ones that begin in the past. */
  get behindCount(): number {
    return this.#behind.size;
  }

  get watcherCount(): number {
    return this.#syncedWatchers.size + this.#behind.size;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** Whether anybody wants to be told of changes as they are applied. */
  get listening(): boolean {
    return this.#syncedWatchers.size > 0;
  }

  open(sink: WatchSink): WatchStream {
    assert(!this.#closed, 'a closed hub opens no stream');
    const stream = new WatchStream(this, sink);
    this.#streams.add(stream);
    return stream;
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#streams) stream.close();
  }

  // The database's side.

  /** The changes of one applied batch, whole revisions in order. The state has them already. */
  publish(changes: readonly Change[]): void {
    const touched: Watcher[] = [];
    let begin = 0;
    while (begin < changes.length) {
      let end = begin + 1;
      const { revision } = changes[begin] as Change;
      while (end < changes.length && (changes[end] as Change).revision === revision) end += 1;
      this.#publishRevision(changes, begin, end, touched);
      begin = end;
    }
    for (const watcher of touched) this.#deliver(watcher);
  }

  /** From here on history is read at `point`, which is as new as what was published. */
  readFrom(point: ReadPoint): void {
    this.#point = point;
  }

  /** The state was replaced by a newer one: whoever was synced has to read what lies between. */
  restore(point: ReadPoint): void {
    const before = this.#point.revision;
    this.#point = point;
    for (const watcher of this.#syncedWatchers) {
      this.#fallBehind(watcher, Math.max(watcher.nextRevision, before + 1));
    }
    this.#scheduleResync();
  }

  /** Users or roles have changed: nobody sees from here on what it may not see any more. */
  review(): void {
    for (const stream of this.#streams) stream.review();
  }

  // The streams' side.

  add(stream: WatchStream, id: number, request: WatchCreateRequest): Watcher {
    const { startRevision } = request;
    const current = this.#point.revision;
    const next = startRevision === 0 ? current + 1 : startRevision;
    const watcher = new Watcher(stream, id, request, next);
    if (next > current) {
      this.#becomeSynced(watcher);
    } else {
      this.#behind.add(watcher);
      this.#scheduleResync();
    }
    return watcher;
  }

  remove(watcher: Watcher): void {
    if (watcher.state === 'synced') {
      this.#synced.delete(watcher);
      this.#syncedWatchers.delete(watcher);
    } else {
      this.#behind.delete(watcher);
    }
    watcher.state = 'gone';
    watcher.batch = null;
  }

  closed(stream: WatchStream): void {
    this.#streams.delete(stream);
    this.#toFlush.delete(stream);
  }

  /** A stream takes events (again). */
  resume(): void {
    if (this.#behind.size > 0) this.#scheduleResync();
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

  // Synced watchers.

  #publishRevision(changes: readonly Change[], begin: number, end: number, touched: Watcher[]): void {
    for (let i = begin; i < end; i += 1) {
      const change = changes[i] as Change;
      let plain: Event | null = null;
      let withPrevious: Event | null = null;
      this.#synced.match(change.kv.key, (watcher) => {
        if (change.revision < watcher.nextRevision || !watcher.wants(change.deleted)) return;
        let event;
        if (watcher.prevKv) event = withPrevious ??= this.#withPrevious(change, i > begin);
        else event = plain ??= plainEvent(change);
        collect(watcher, event, touched);
      });
    }
  }

  /**
   * What counts is what was there before the revision: a transaction may put a key and then delete it. An event that
   * creates its key has nothing before it, in etcd also where the same transaction deleted the key first. `follows`:
   * the revision has an earlier change.
   */
  #withPrevious(change: Change, follows: boolean): Event {
    const { kv, previous, revision, deleted } = change;
    if (!deleted && kv.createRevision === revision) return plainEvent(change);
    const isBefore = previous === null ? !follows : previous.modRevision < revision;
    const prevKv = isBefore ? previous : this.#point.layers.visibleAt(kv.key, revision - 1);
    return { ...plainEvent(change), prevKv };
  }

  /** Hands a matched batch to its stream, or leaves it to history when the client is slow. */
  #deliver(watcher: Watcher): void {
    const { batch } = watcher;
    if (batch === null) return;
    if (watcher.state === 'synced' && !watcher.stream.accepts) {
      this.#fallBehind(watcher, revisionOf(batch[0] as Event));
      watcher.batch = null;
      return;
    }
    sendBatch(watcher, this.options);
  }

  #becomeSynced(watcher: Watcher): void {
    this.#behind.delete(watcher);
    watcher.state = 'synced';
    this.#synced.add(watcher);
    this.#syncedWatchers.add(watcher);
  }

  #fallBehind(watcher: Watcher, nextRevision: number): void {
    this.#synced.delete(watcher);
    this.#syncedWatchers.delete(watcher);
    watcher.state = 'behind';
    watcher.nextRevision = nextRevision;
    this.#behind.add(watcher);
  }

  // Watchers that are behind.

  #scheduleResync(): void {
    if (this.#resyncScheduled || this.#closed) return;
    this.#resyncScheduled = true;
    this.#platform.timer(limits.watchResyncMs, 'watch-resync', () => {
      this.#resyncScheduled = false;
      if (!this.#closed) this.#resync();
    });
  }

  /** One slice of history for the watchers whose turn it is. */
  #resync(): void {
    const chosen = this.#choose();
    if (chosen.length === 0) return;
    let from = Number.MAX_SAFE_INTEGER;
    const index = new WatcherIndex<Watcher>();
    for (const watcher of chosen) {
      if (watcher.nextRevision < from) from = watcher.nextRevision;
      index.add(watcher);
    }
    const through = this.#readHistory(index, from);
    for (const watcher of chosen) {
      if (watcher.batch !== null && !watcher.stream.accepts) {
        // Others of its stream have filled it: this part is read again when there is room.
        watcher.batch = null;
        continue;
      }
      if (watcher.batch !== null) sendBatch(watcher, this.options);
      if (watcher.nextRevision <= through) watcher.nextRevision = through + 1;
      if (watcher.nextRevision > this.#point.revision) {
        this.#becomeSynced(watcher);
      } else {
        // To the end of the line: nobody waits for one that has years to read.
        this.#behind.delete(watcher);
        this.#behind.add(watcher);
      }
    }
    this.#scheduleResync();
  }

  /** Those that can be sent to, from the head of the line. Those that history has left behind are cancelled. */
  #choose(): Watcher[] {
    const { compactRevision } = this.#point;
    const chosen: Watcher[] = [];
    for (const watcher of this.#behind) {
      if (!watcher.stream.accepts) continue;
      if (watcher.nextRevision < compactRevision) {
        watcher.stream.sendCompacted(watcher, compactRevision);
        continue;
      }
      chosen.push(watcher);
      if (chosen.length >= this.options.sliceWatchers) break;
    }
    return chosen;
  }

  /** Collects events for the watchers of `index`; answers the revision through which that is all of them. */
  #readHistory(index: WatcherIndex<Watcher>, from: number): number {
    const current = this.#point.revision;
    const touched: Watcher[] = [];
    let visited = 0;
    let bytes = 0;
    let last = from - 1;
    const cursor = new EventCursor(this.#point.layers, from);
    for (; cursor.event !== null && cursor.event.revision <= current; cursor.advance()) {
      const { event: record } = cursor;
      const full = visited >= this.options.sliceEvents || bytes >= this.options.batchBytes;
      if (full && record.revision !== last) {
        cursor.close();
        return last;
      }
      last = record.revision;
      visited += 1;
      const events = new HistoryEvents(this.#point, record);
      index.match(record.key, (watcher) => {
        if (record.revision < watcher.nextRevision || !watcher.wants(record.deleted)) return;
        collect(watcher, events.get(watcher.prevKv), touched);
      });
      bytes += events.bytes;
    }
    cursor.close();
    return current;
  }
}

/** One stored event, looked up when the first watcher wants it. */
class HistoryEvents {
  readonly #point: ReadPoint;
  readonly #record: EventRecord;
  #plain: Event | null = null;
  #withPrevious: Event | null = null;

  constructor(point: ReadPoint, record: EventRecord) {
    this.#point = point;
    this.#record = record;
  }

  get bytes(): number {
    const event = this.#withPrevious ?? this.#plain;
    return event === null ? 0 : eventBytes(event);
  }

  get(prevKv: boolean): Event {
    if (prevKv) return (this.#withPrevious ??= this.#readWithPrevious());
    return (this.#plain ??= this.#read());
  }

  #read(): Event {
    const { key, revision, deleted } = this.#record;
    if (deleted) return { type: EventType.DELETE, kv: tombstone(key, revision), prevKv: null };
    const kv = this.#point.layers.versionAt(key, revision);
    assert(kv !== null, 'the version of an event that may be read is kept');
    return { type: EventType.PUT, kv, prevKv: null };
  }

  #readWithPrevious(): Event {
    const plain = this.get(false);
    const creates = plain.type === EventType.PUT && plain.kv?.createRevision === this.#record.revision;
    return creates ? plain : { ...plain, prevKv: this.#previous() };
  }

  /** What was there at the revision before, unless that is compacted. */
  #previous(): KeyValue | null {
    const { key, revision, sub, previousRevision } = this.#record;
    if (revision - 1 < this.#point.compactRevision || (previousRevision === 0 && sub === 0)) return null;
    if (previousRevision === revision || previousRevision === 0)
      return this.#point.layers.visibleAt(key, revision - 1);
    return this.#point.layers.past(key, previousRevision)?.kv ?? null;
  }
}

function plainEvent({ kv, deleted }: Change): Event {
  return { type: deleted ? EventType.DELETE : EventType.PUT, kv, prevKv: null };
}

function tombstone(key: Uint8Array, modRevision: number): KeyValue {
  return { key, createRevision: 0, modRevision, version: 0, value: new Uint8Array(0), lease: 0n };
}

function revisionOf({ kv }: Event): number {
  return (kv as KeyValue).modRevision;
}

function collect(watcher: Watcher, event: Event, touched: Watcher[]): void {
  if (watcher.batch === null) {
    watcher.batch = [];
    watcher.batchBytes = 0;
    touched.push(watcher);
  }
  watcher.batch.push(event);
  watcher.batchBytes += eventBytes(event);
}

/** Sends what was collected, cut between revisions when it is much. */
function sendBatch(watcher: Watcher, { batchBytes, batchEvents }: WatchHubOptions): void {
  const batch = watcher.batch as Event[];
  const bytes = watcher.batchBytes;
  watcher.batch = null;
  watcher.nextRevision = revisionOf(batch[batch.length - 1] as Event) + 1;
  if (bytes <= batchBytes && batch.length <= batchEvents) {
    watcher.stream.sendEvents(watcher, batch, bytes);
    return;
  }
  let part: Event[] = [];
  let partBytes = 0;
  for (const event of batch) {
    const full = partBytes >= batchBytes || part.length >= batchEvents;
    if (full && revisionOf(event) !== revisionOf(part[part.length - 1] as Event)) {
      watcher.stream.sendEvents(watcher, part, partBytes);
      part = [];
      partBytes = 0;
    }
    part.push(event);
    partBytes += eventBytes(event);
  }
  watcher.stream.sendEvents(watcher, part, partBytes);
}
