import { assert } from '@flotilla/platform';
import type { KeyValue } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { EventCursor } from '../mvcc/event-cursor.ts';
import { keyOfHistory } from '../mvcc/keys.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { subOf } from '../mvcc/records.ts';
import { type Place, PlaceSorter } from './place-sorter.ts';

/** A record of etcd's `key` bucket: what one change of one key left, and is still kept. */
export interface KeptRecord {
  readonly revision: number;
  readonly sub: number;
  /** Of a deletion only the key, as etcd stores it. */
  readonly kv: KeyValue;
  readonly deleted: boolean;
  /** The revision that replaced the version, or deleted its key. Infinity: none, or it was not looked up. */
  readonly end: number;
}

/**
 * Every kept record in the order of revisions, from a pinned view. Up to the compaction revision that is of each key
 * the version that was live there, as in etcd, and what was deleted at that very revision; from there on it is every
 * change. How far compaction has really come makes no difference.
 *
 * Null says that some work was done: a place to let others have their turn.
 *
 * Versions are stored by key. Those that compaction left are sorted by revision here, some at a time when they are
 * many, so that memory is bounded; later ones come as the events do.
 */
export function* keptRecords(point: ReadPoint): Generator<KeptRecord | null> {
  yield* compactedRecords(point);
  yield* laterRecords(point);
}

function* laterRecords({ layers, compactRevision }: ReadPoint): Generator<KeptRecord | null> {
  const cursor = new EventCursor(layers, Math.max(compactRevision + 1, 0));
  try {
    for (; cursor.event !== null; cursor.advance()) {
      const { revision, place: sub, key, deleted } = cursor.event;
      if (deleted) {
        yield { revision, sub, kv: tombstone(key), deleted, end: Infinity };
        continue;
      }
      const kv = layers.versionAt(key, revision);
      assert(kv !== null, 'a version that was not compacted is kept');
      yield { revision, sub, kv, deleted, end: Infinity };
    }
  } finally {
    cursor.close();
  }
}

function* compactedRecords(point: ReadPoint): Generator<KeptRecord | null> {
  const { compactRevision } = point;
  if (compactRevision < 1) return;
  const spread = new Spread(compactRevision);
  const sorter = new PlaceSorter();
  for (const place of places(point)) {
    if (place === null) {
      yield null;
      continue;
    }
    spread.add(place.revision);
    if (spread.total <= limits.sortedPlaces) sorter.add(place);
  }
  if (spread.total <= limits.sortedPlaces) {
    yield* lookedUp(point, sorter);
    return;
  }
  for (const { from, to } of spread.parts(limits.sortedPlaces)) {
    const part = new PlaceSorter();
    for (const place of places(point)) {
      if (place === null) yield null;
      else if (place.revision >= from && place.revision < to) part.add(place);
    }
    yield* lookedUp(point, part);
  }
}

/** Where each record that compaction leaves is to be found, in the order of keys. */
function* places({ layers, compactRevision }: ReadPoint): Generator<Place | null> {
  let visited = 0;
  const latest = layers.scanLatest({ from: null, to: null, reverse: false });
  for (; latest.key !== null; latest.advance()) {
    if ((visited += 1) % limits.rangeSliceKeys === 0) yield null;
    const kv = latest.value;
    if (kv.modRevision > compactRevision) continue;
    yield { revision: kv.modRevision, sub: subOf(kv), key: kv.key, deleted: false };
  }
  const history = layers.scanHistory({ from: null, to: null, reverse: false });
  for (; history.key !== null; history.advance()) {
    if ((visited += 1) % limits.rangeSliceKeys === 0) yield null;
    const { kv, end } = history.value;
    if (kv.modRevision > compactRevision || end <= compactRevision) continue;
    yield { revision: kv.modRevision, sub: subOf(kv), key: keyOfHistory(history.key), deleted: false };
  }
  const events = new EventCursor(layers, compactRevision);
  for (; events.event !== null && events.event.revision === compactRevision; events.advance()) {
    const { place: sub, key, deleted } = events.event;
    if (deleted) yield { revision: compactRevision, sub, key, deleted };
  }
  events.close();
}

function* lookedUp({ layers }: ReadPoint, sorter: PlaceSorter): Generator<KeptRecord | null> {
  let last = { revision: -1, sub: -1 };
  for (const { revision, sub: stored, key, deleted } of sorter.sorted()) {
    // Of places that were not kept exactly each still gets one of its own.
    const sub = revision === last.revision ? Math.max(stored, last.sub + 1) : stored;
    last = { revision, sub };
    if (deleted) {
      yield { revision, sub, kv: tombstone(key), deleted, end: Infinity };
      continue;
    }
    const latest = layers.latest(key);
    if (latest !== null && latest.modRevision === revision) {
      yield { revision, sub, kv: latest, deleted, end: Infinity };
      continue;
    }
    const past = layers.past(key, revision);
    assert(past !== null, 'what was found by key is found by key and revision');
    yield { revision, sub, kv: past.kv, deleted, end: past.end };
  }
}

function tombstone(key: Uint8Array): KeyValue {
  return { key, createRevision: 0, modRevision: 0, version: 0, value: noValue, lease: 0n };
}

const noValue = new Uint8Array(0);

/** How records spread over revisions, coarsely: which revisions can be sorted together. */
class Spread {
  total = 0;
  readonly #last: number;
  readonly #width: number;
  readonly #counts: Float64Array;

  constructor(lastRevision: number) {
    this.#last = lastRevision;
    this.#width = Math.max(1, Math.ceil((lastRevision + 1) / limits.sortedSpread));
    this.#counts = new Float64Array(limits.sortedSpread);
  }

  add(revision: number): void {
    const slot = Math.floor(revision / this.#width);
    this.#counts[slot] = (this.#counts[slot] as number) + 1;
    this.total += 1;
  }

  /** Ranges of revisions that hold at most `most` records each, unless one slot alone has more. */
  *parts(most: number): Iterable<{ readonly from: number; readonly to: number }> {
    let from = 0;
    let held = 0;
    for (let slot = 0; slot < limits.sortedSpread; slot += 1) {
      const count = this.#counts[slot] as number;
      if (held > 0 && held + count > most) {
        yield { from, to: slot * this.#width };
        from = slot * this.#width;
        held = 0;
      }
      held += count;
    }
    yield { from, to: this.#last + 1 };
  }
}
