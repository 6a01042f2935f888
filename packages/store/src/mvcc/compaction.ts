import { limits } from '../limits.ts';
import { ByteTree, type TreeCursor } from '../tree/byte-tree.ts';
import { EventCursor } from './event-cursor.ts';
import type { EventRecord } from './event-log.ts';
import { eventKey, historyKey } from './keys.ts';
import type { MultiVersionState } from './state.ts';

/**
 * Removes what compaction has made unreadable, slice by slice.
 *
 * An event at or below the compaction revision says exactly which version nobody can read any more: the one that it
 * replaced. So the events are the list of work, each version goes with one point deletion, and what is kept is what
 * etcd keeps: of each key the latest version at or below the compaction revision, unless that is a deletion. Events
 * at the compaction revision itself stay: a watch may start there.
 *
 * Events come in the order of time and versions lie in the order of keys. So the work of many events is gathered and
 * done in the order of keys: a page of the storage is then written once, and not again with every commit. While a
 * snapshot is being read no page is free for use again, and the file grows by each that is written.
 *
 * How far it has come is part of the state, so that a restart goes on where the last commit was. What was gathered and
 * not done through is done again then: removing twice is removing, and its bytes are counted off at the end.
 */
export class Compactor {
  readonly #state: MultiVersionState;
  #window: Window | null = null;

  constructor(state: MultiVersionState) {
    this.#state = state;
  }

  /** Does one slice; true when nothing is left to do. */
  slice(maxEvents: number): boolean {
    const state = this.#state;
    if (state.compactedThrough >= state.compactRevision) return true;
    this.#window ??= new Window(state.compactedThrough, state.compactedThrough < state.unevenThrough);
    const window = this.#window;
    if (!window.gathered) gather(state, window, maxEvents);
    else if (!remove(state, window, maxEvents)) this.#end(window);
    return state.compactedThrough >= state.compactRevision;
  }

  /** The shard's keys change: what has begun is given up, and what was removed by it counted off. */
  abandon(): void {
    const window = this.#window;
    if (window === null) return;
    if (window.removing?.key === null) {
      this.#end(window);
      return;
    }
    this.#window = null;
    if (window.removing === null) return;
    const state = this.#state;
    state.unevenThrough = Math.max(state.unevenThrough, window.through);
    if (!window.isUneven) state.liveBytes -= window.bytesBefore(window.removing.key);
  }

  #end(window: Window): void {
    const state = this.#state;
    state.compactedThrough = window.through;
    if (!window.isUneven) state.liveBytes -= window.removedBytes;
    this.#window = null;
  }
}

/** The events of some revisions, and what they replaced. */
class Window {
  /** Compaction had come through this revision. */
  readonly from: number;
  /** All events up to and including this revision have been looked at. */
  through: number;
  /** Some of it may have been removed before: what is there is looked up, and counted off when it goes. */
  readonly isUneven: boolean;
  gathered = false;
  events = 0;
  /** Places in the history, and what the versions there count as live. */
  readonly places = new ByteTree<number>();
  placeBytes = 0;
  removedBytes = 0;
  removing: TreeCursor<number> | null = null;
  /** Chunks of events before this one are removed; null: none is. */
  chunk: Uint8Array | null = null;
  /** What events of the last revision so far replaced that was made at that very revision. */
  #inBetween: Version[] = [];

  constructor(from: number, isUneven: boolean) {
    this.from = from;
    this.through = from;
    this.isUneven = isUneven;
  }

  get isFull(): boolean {
    return this.events >= limits.compactionWindowEvents || this.placeBytes >= limits.compactionWindowBytes;
  }

  add({ key, revision, previousRevision, previousBytes }: EventRecord): void {
    const version = { place: historyKey(key, previousRevision), bytes: previousBytes };
    if (previousRevision === revision) this.#inBetween.push(version);
    else if (revision !== this.from) this.#take(version);
  }

  /** Of the last revision so far; another follows. */
  endRevision(): void {
    if (this.#inBetween.length === 0) return;
    for (const version of this.#inBetween) this.#take(version);
    this.#inBetween = [];
  }

  bytesBefore(place: Uint8Array): number {
    let bytes = 0;
    const cursor = this.places.scan({ from: null, to: place, reverse: false });
    for (; cursor.key !== null; cursor.advance()) bytes += cursor.value;
    return bytes;
  }

  #take({ place, bytes }: Version): void {
    this.places.set(place, bytes);
    this.placeBytes += place.length;
    this.removedBytes += bytes;
  }
}

interface Version {
  readonly place: Uint8Array;
  readonly bytes: number;
}

/**
 * Whole revisions only: how far a window has come is a revision.
 *
 * A transaction can put a key and delete it again (in two nested transactions). The version in between belongs to an
 * event of its own revision, which watchers may still ask for at the compaction revision: of a window's last revision
 * it is left to the next window.
 */
function gather(state: MultiVersionState, window: Window, maxEvents: number): void {
  const target = state.compactRevision;
  let visited = 0;
  let last = window.through;
  const cursor = new EventCursor(state.layers, window.events === 0 ? window.from : window.through + 1);
  for (; cursor.event !== null && cursor.event.revision <= target; cursor.advance()) {
    const { event } = cursor;
    if (event.revision !== last) {
      if (visited >= maxEvents) {
        cursor.close();
        window.through = last;
        window.events += visited;
        window.gathered = window.isFull;
        return;
      }
      window.endRevision();
    }
    visited += 1;
    last = event.revision;
    if (event.previousRevision === 0) continue;
    if (window.isUneven && state.layers.past(event.key, event.previousRevision) === null) continue;
    window.add(event);
  }
  cursor.close();
  window.through = target;
  window.gathered = true;
}

/** Whether something is left to remove. */
function remove(state: MultiVersionState, window: Window, maxEvents: number): boolean {
  window.removing ??= window.places.scan({ from: null, to: null, reverse: false });
  state.removedThrough = Math.max(state.removedThrough, window.through);
  const { removing } = window;
  if (removing.key === null) return removeChunks(state, window, maxEvents);
  for (let left = maxEvents; left > 0 && removing.key !== null; left -= 1) {
    state.forget(removing.key);
    if (window.isUneven) state.liveBytes -= removing.value;
    removing.advance();
  }
  return true;
}

/**
 * Removes chunks of the own log that hold only events below what was compacted: all that another one follows which begins there, or
 * with the first event after it. One that begins in the middle of a revision leaves that revision's first events before
 * it. Whether some are left.
 */
function removeChunks(state: MultiVersionState, window: Window, maxChunks: number): boolean {
  const { layers } = state;
  // Others are read by other shards too: when nobody lists one any more, it goes as a whole.
  const { own } = layers.scope.logs;
  if (own === null) return false;
  const through = Math.min(window.through, state.compactRevision - 1);
  const removable: Uint8Array[] = [];
  const from = window.chunk ?? eventKey(own, 0, 0);
  const chunks = layers.scanEvents({ from, to: eventKey(own, through + 1, 1), reverse: false });
  let previous: Uint8Array | null = null;
  for (; chunks.key !== null && removable.length < maxChunks; chunks.advance()) {
    if (previous !== null) removable.push(previous);
    previous = chunks.key;
  }
  chunks.close();
  for (const key of removable) layers.active.events.set(key, null);
  window.chunk = previous;
  return removable.length === maxChunks;
}
