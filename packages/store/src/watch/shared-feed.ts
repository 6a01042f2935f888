import type { Event } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { anyOverlap, type KeySpan } from '../shard/key-span.ts';
import { collect, revisionOf, sendBatch } from './batch.ts';
import { chooseBehind } from './choose-behind.ts';
import type { Feed, FeedParts } from './feed.ts';
import type { HistoryPage, HistoryPart, HistoryRequest, SharedHistory } from './history.ts';
import type { Watcher } from './watcher.ts';
import { WatcherIndex } from './watcher-index.ts';

/**
 * Tells of a history that lies elsewhere. Whenever it has grown, everything that is new to the synced watchers is read
 * in one go, and told in one turn; watchers that are nearly there are read for together with them, and are synced when
 * that has come. Those that are further behind read in slices of their own meanwhile.
 *
 * A part of the keys that nobody can be asked about in time holds up only those who watch it: they fall behind, and try
 * again.
 */
export class SharedFeed implements Feed {
  readonly #parts: FeedParts;
  readonly #history: SharedHistory;
  /** All that are synced have been told everything up to here. */
  #told: number;
  /** How far the read for the synced watchers goes that is under way; null: none is. */
  #target: number | null = null;
  /** Nothing beyond is told before this has happened, in order. */
  #awaited: { readonly revision: number; readonly act: () => void }[] = [];
  #pullDue = false;
  #slices = 0;
  #sliceDue = false;
  #retryDue = false;
  #closed = false;

  /** `told`: the synced watchers have been told everything up to there. */
  constructor(parts: FeedParts, history: SharedHistory, told: number) {
    this.#parts = parts;
    this.#history = history;
    this.#told = told;
  }

  get revision(): number {
    return this.#told;
  }

  get newestRevision(): number {
    return Math.max(this.#told, this.#history.revision);
  }

  newest(): Promise<number> {
    return this.#history.newest();
  }

  /** What is being read for the synced watchers is not for those that come meanwhile. */
  isAhead(nextRevision: number): boolean {
    return nextRevision > (this.#target ?? this.#told) && nextRevision >= this.#history.compactRevision;
  }

  wake(): void {
    this.grown();
    if (this.#parts.watchers.behind.size > 0) this.#scheduleSlice();
  }

  /** There may be more of the history. */
  grown(): void {
    if (this.#pullDue || this.#target !== null || this.#closed) return;
    this.#pullDue = true;
    this.#parts.platform.defer(() => {
      this.#pullDue = false;
      this.#pull();
    });
  }

  whenTold(act: () => void): void {
    if (this.#target === null && this.#told === this.newestRevision) act();
    else this.#awaited.push({ revision: this.newestRevision, act });
    this.grown();
  }

  close(): void {
    this.#closed = true;
    this.#awaited = [];
  }

  // Synced watchers, and those that are nearly there.

  #pull(): void {
    if (this.#closed || this.#target !== null) return;
    const { watchers } = this.#parts;
    const target = Math.min(this.newestRevision, this.#awaited[0]?.revision ?? Infinity);
    // Nothing is read when nobody watches.
    if (watchers.synced.size === 0) this.#advanceTo(target);
    const joining = this.#choose((watcher) => this.#isNear(watcher));
    if (target === this.#told && joining.length === 0) return;
    this.#target = target;
    const parts = partsOf(joining);
    if (target > this.#told) {
      for (const span of watchers.syncedSpans.spans) parts.push({ span, from: this.#told + 1 });
    }
    const previous = watchers.wantsPrevious || joining.some(({ prevKv }) => prevKv);
    this.#parts.platform.spawn('watch-pull', async () => {
      const page = await this.#history.read(this.#request(parts, previous, target, true));
      this.#target = null;
      if (this.#closed) return;
      this.#takeNew(page, joining);
      this.wake();
    });
  }

  #takeNew(page: HistoryPage, joining: readonly Watcher[]): void {
    const { watchers } = this.#parts;
    const { events, through, missing } = page;
    const before = this.#told;
    if (missing.length > 0) this.#leaveBehind(missing, before + 1);
    // A header is at least as new as its events.
    if (through > before) this.#told = through;
    const touched: Watcher[] = [];
    for (const event of events) {
      if (event.revision <= before) continue;
      watchers.index.match(event.key, (watcher) => {
        if (event.revision < watcher.nextRevision || !watcher.wants(event.deleted)) return;
        collect(watcher, event.get(watcher.prevKv), touched);
      });
    }
    for (const watcher of touched) this.#deliver(watcher);
    // The synced ones do not wait again for those that have more to read than was thought.
    this.#takePast(page, joining, through < before);
    this.#advanceTo(this.#told);
  }

  #advanceTo(revision: number): void {
    this.#told = revision;
    for (
      let [next] = this.#awaited;
      next !== undefined && next.revision <= revision;
      [next] = this.#awaited
    ) {
      this.#awaited.shift();
      next.act();
      this.grown();
    }
  }

  /** Those whose keys nobody can be asked about read them later, when the others are told. */
  #leaveBehind(missing: readonly KeySpan[], from: number): void {
    const { watchers } = this.#parts;
    for (const watcher of watchers.synced) {
      if (!anyOverlap(missing, [watcher.range])) continue;
      watchers.fallBehind(watcher, Math.max(watcher.nextRevision, from));
      this.#retryLater(watcher);
    }
  }

  #deliver(watcher: Watcher): void {
    const { batch } = watcher;
    if (batch === null || watcher.state !== 'synced') return;
    if (watcher.stream.accepts) {
      sendBatch(watcher, this.#parts.bounds);
      return;
    }
    this.#parts.watchers.fallBehind(watcher, revisionOf(batch[0] as Event));
    watcher.batch = null;
  }

  // Those that are behind.

  #isNear({ nextRevision, far }: Watcher): boolean {
    return nextRevision > this.#told - limits.watchNearRevisions && !far;
  }

  #choose(when: (watcher: Watcher) => boolean): Watcher[] {
    const { compactRevision } = this.#history;
    const { platform, watchers, bounds } = this.#parts;
    const nowMs = platform.now();
    return chooseBehind(watchers, {
      compactRevision,
      max: bounds.sliceWatchers,
      when: (watcher) => watcher.retryAtMs <= nowMs && when(watcher),
    });
  }

  #scheduleSlice(): void {
    if (this.#sliceDue || this.#slices >= limits.watchSlices || this.#closed) return;
    this.#sliceDue = true;
    this.#parts.platform.timer(limits.watchResyncMs, 'watch-resync', () => {
      this.#sliceDue = false;
      if (!this.#closed) this.#slice();
    });
  }

  #slice(): void {
    const chosen = this.#choose((watcher) => !this.#isNear(watcher));
    if (chosen.length === 0) return;
    const target = this.#told;
    const parts = partsOf(chosen);
    const previous = chosen.some(({ prevKv }) => prevKv);
    this.#slices += 1;
    this.#parts.platform.spawn('watch-slice', async () => {
      const page = await this.#history.read(this.#request(parts, previous, target, false));
      this.#slices -= 1;
      if (this.#closed) return;
      this.#takePast(page, chosen, page.through < target);
      this.wake();
    });
    this.#scheduleSlice();
  }

  #takePast({ events, through, missing }: HistoryPage, chosen: readonly Watcher[], far: boolean): void {
    const index = new WatcherIndex<Watcher>();
    const present: Watcher[] = [];
    for (const watcher of chosen) {
      watcher.reading = false;
      if (watcher.state !== 'behind') continue;
      watcher.far = far;
      if (missing.length > 0 && anyOverlap(missing, [watcher.range])) {
        this.#retryLater(watcher);
        continue;
      }
      index.add(watcher);
      present.push(watcher);
    }
    const touched: Watcher[] = [];
    for (const event of events) {
      index.match(event.key, (watcher) => {
        if (event.revision < watcher.nextRevision || !watcher.wants(event.deleted)) return;
        collect(watcher, event.get(watcher.prevKv), touched);
      });
    }
    for (const watcher of present) this.#advance(watcher, through);
  }

  #advance(watcher: Watcher, through: number): void {
    const { watchers, bounds } = this.#parts;
    if (watcher.batch !== null && !watcher.stream.accepts) {
      // Others of its stream have filled it: this part is read again when there is room.
      watcher.batch = null;
      return;
    }
    if (watcher.batch !== null) sendBatch(watcher, bounds);
    if (watcher.nextRevision <= through) watcher.nextRevision = through + 1;
    if (this.isAhead(watcher.nextRevision)) watchers.becomeSynced(watcher);
    else watchers.requeue(watcher);
  }

  #retryLater(watcher: Watcher): void {
    const { platform, watchers } = this.#parts;
    watcher.retryAtMs = platform.now() + limits.watchRetryMs;
    // Those who are synced do not wait for them again before somebody has answered.
    watcher.far = true;
    watchers.requeue(watcher);
    this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    if (this.#retryDue) return;
    const { platform, watchers } = this.#parts;
    this.#retryDue = true;
    platform.timer(limits.watchRetryMs, 'watch-retry', () => {
      this.#retryDue = false;
      if (this.#closed) return;
      this.wake();
      const nowMs = platform.now();
      for (const { retryAtMs } of watchers.behind) if (retryAtMs > nowMs) return this.#scheduleRetry();
    });
  }

  #request(parts: readonly HistoryPart[], previous: boolean, through: number, live: boolean): HistoryRequest {
    const { sliceEvents: maxEvents, batchBytes: maxBytes } = this.#parts.bounds;
    return { parts, previous, through, live, maxEvents, maxBytes };
  }
}

/** From here on they are being read for. */
function partsOf(watchers: readonly Watcher[]): HistoryPart[] {
  return watchers.map((watcher) => {
    watcher.reading = true;
    return { span: watcher.range, from: watcher.nextRevision };
  });
}
