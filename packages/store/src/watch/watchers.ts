import { limits } from '../limits.ts';
import { SpanSet } from './span-set.ts';
import { WatcherIndex } from './watcher-index.ts';
import type { Watcher } from './watcher.ts';

/** The watchers of a hub, by where they stand. */
export class Watchers {
  readonly synced = new Set<Watcher>();
  /** In the order in which they take turns. */
  readonly behind = new Set<Watcher>();
  readonly index = new WatcherIndex<Watcher>();
  #spans: SpanSet | null = null;
  #previous = 0;

  get size(): number {
    return this.synced.size + this.behind.size;
  }

  /** What the synced ones watch. */
  get syncedSpans(): SpanSet {
    return (this.#spans ??= new SpanSet(spansOf(this.synced), limits.watchSpans));
  }

  /** Whether one of the synced ones wants previous versions. */
  get wantsPrevious(): boolean {
    return this.#previous > 0;
  }

  becomeSynced(watcher: Watcher): void {
    this.behind.delete(watcher);
    watcher.state = 'synced';
    this.index.add(watcher);
    this.synced.add(watcher);
    this.#changed(watcher, 1);
  }

  fallBehind(watcher: Watcher, nextRevision: number): void {
    this.#leaveSynced(watcher);
    watcher.state = 'behind';
    watcher.nextRevision = nextRevision;
    this.behind.add(watcher);
  }

  /** To the end of the line: nobody waits for one that has years to read. */
  requeue(watcher: Watcher): void {
    this.behind.delete(watcher);
    this.behind.add(watcher);
  }

  remove(watcher: Watcher): void {
    if (watcher.state === 'synced') this.#leaveSynced(watcher);
    else this.behind.delete(watcher);
    watcher.state = 'gone';
    watcher.batch = null;
  }

  #leaveSynced(watcher: Watcher): void {
    this.index.delete(watcher);
    this.synced.delete(watcher);
    this.#changed(watcher, -1);
  }

  #changed({ prevKv }: Watcher, by: number): void {
    this.#spans = null;
    if (prevKv) this.#previous += by;
  }
}

function* spansOf(watchers: Iterable<Watcher>): Generator<Watcher['range']> {
  for (const { range } of watchers) yield range;
}
