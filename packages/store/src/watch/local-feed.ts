import type { Event } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { EventCursor } from '../mvcc/event-cursor.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import type { Change } from '../mvcc/state.ts';
import { collect, plainEvent, revisionOf, sendBatch } from './batch.ts';
import { chooseBehind } from './choose-behind.ts';
import type { Feed, FeedParts } from './feed.ts';
import { StoredEvent } from './stored-event.ts';
import type { Watcher } from './watcher.ts';
import { WatcherIndex } from './watcher-index.ts';

/** Tells of the changes of one group's state, as they are applied here, and reads its history. */
export class LocalFeed implements Feed {
  readonly #parts: FeedParts;
  /** Where history is read. */
  #point: ReadPoint;
  #resyncScheduled = false;
  #closed = false;

  constructor(parts: FeedParts, point: ReadPoint) {
    this.#parts = parts;
    this.#point = point;
  }

  get revision(): number {
    return this.#point.revision;
  }

  get newestRevision(): number {
    return this.#point.revision;
  }

  newest(): number {
    return this.#point.revision;
  }

  isAhead(nextRevision: number): boolean {
    return nextRevision > this.#point.revision;
  }

  wake(): void {
    if (this.#parts.watchers.behind.size > 0) this.#scheduleResync();
  }

  whenTold(act: () => void): void {
    act();
  }

  close(): void {
    this.#closed = true;
  }

  readFrom(point: ReadPoint): void {
    this.#point = point;
  }

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

  #publishRevision(changes: readonly Change[], begin: number, end: number, touched: Watcher[]): void {
    const { index } = this.#parts.watchers;
    for (let i = begin; i < end; i += 1) {
      const change = changes[i] as Change;
      let plain: Event | null = null;
      let withPrevious: Event | null = null;
      index.match(change.kv.key, (watcher) => {
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
      this.#parts.watchers.fallBehind(watcher, revisionOf(batch[0] as Event));
      watcher.batch = null;
      return;
    }
    sendBatch(watcher, this.#parts.bounds);
  }

  #scheduleResync(): void {
    if (this.#resyncScheduled || this.#closed) return;
    this.#resyncScheduled = true;
    this.#parts.platform.timer(limits.watchResyncMs, 'watch-resync', () => {
      this.#resyncScheduled = false;
      if (!this.#closed) this.#resync();
    });
  }

  /** One slice of history for the watchers whose turn it is. */
  #resync(): void {
    const { watchers, bounds } = this.#parts;
    const { compactRevision } = this.#point;
    const chosen = chooseBehind(watchers, { compactRevision, max: bounds.sliceWatchers, when: () => true });
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
      if (watcher.batch !== null) sendBatch(watcher, bounds);
      if (watcher.nextRevision <= through) watcher.nextRevision = through + 1;
      if (watcher.nextRevision > this.#point.revision) watchers.becomeSynced(watcher);
      else watchers.requeue(watcher);
    }
    this.#scheduleResync();
  }

  /** Collects events for the watchers of `index`; answers the revision through which that is all of them. */
  #readHistory(index: WatcherIndex<Watcher>, from: number): number {
    const { sliceEvents, batchBytes } = this.#parts.bounds;
    const current = this.#point.revision;
    const touched: Watcher[] = [];
    let visited = 0;
    let bytes = 0;
    let last = from - 1;
    const cursor = new EventCursor(this.#point.layers, from);
    for (; cursor.event !== null && cursor.event.revision <= current; cursor.advance()) {
      const { event: record } = cursor;
      const full = visited >= sliceEvents || bytes >= batchBytes;
      if (full && record.revision !== last) {
        cursor.close();
        return last;
      }
      last = record.revision;
      visited += 1;
      const event = new StoredEvent(this.#point, record);
      index.match(record.key, (watcher) => {
        if (record.revision < watcher.nextRevision || !watcher.wants(record.deleted)) return;
        collect(watcher, event.get(watcher.prevKv), touched);
      });
      bytes += event.bytes;
    }
    cursor.close();
    return current;
  }
}
