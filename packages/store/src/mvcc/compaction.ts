import { EventCursor } from './event-log.ts';
import type { EventRecord } from './event-log.ts';
import { eventKey } from './keys.ts';
import type { MultiVersionState } from './state.ts';

/**
 * Removes one slice of what compaction has made unreadable; true when nothing is left to do.
 *
 * An event at or below the compaction revision says exactly which version nobody can read any more: the one that it
 * replaced. So the events are the list of work, each version goes with one point deletion, and what is kept is what
 * etcd keeps: of each key the latest version at or below the compaction revision, unless that is a deletion. Events
 * at the compaction revision itself stay: a watch may start there.
 *
 * How far it has come is part of the state, so that a restart goes on where the last commit was.
 */
export function compactSlice(state: MultiVersionState, maxEvents: number): boolean {
  const target = state.compactRevision;
  if (state.compactedThrough >= target) return true;
  const { events, through } = takeEvents(state, target, maxEvents);
  for (const { key, previousRevision, previousBytes } of events) {
    state.forget(key, previousRevision, previousBytes);
  }
  // Whole revisions only: what is done twice would be counted twice.
  state.compactedThrough = through;
  removeChunks(state, Math.min(through, target - 1));
  return through === target;
}

/**
 * Events whose replaced version goes, and the revision through which that is all. Read first and written later: a
 * write ends a cursor.
 *
 * A transaction can put a key and delete it again (in two nested transactions). The version in between belongs to an
 * event of its own revision, which watchers may still ask for at the compaction revision: it goes one compaction later.
 */
function takeEvents(
  state: MultiVersionState,
  target: number,
  maxEvents: number,
): { events: EventRecord[]; through: number } {
  const events: EventRecord[] = [];
  let visited = 0;
  let last = state.compactedThrough;
  const cursor = new EventCursor(state.layers, last);
  for (; cursor.event !== null && cursor.event.revision <= target; cursor.advance()) {
    const { event } = cursor;
    if (visited >= maxEvents && event.revision !== last) {
      cursor.close();
      return { events, through: last };
    }
    visited += 1;
    last = event.revision;
    if (event.previousRevision === 0) continue;
    const inBetween = event.previousRevision === event.revision;
    const skipped = inBetween ? event.revision === target : event.revision === state.compactedThrough;
    if (!skipped) events.push(event);
  }
  cursor.close();
  return { events, through: target };
}

/**
 * Removes chunks that hold only events up to `through`: all that another one follows which begins there, or with the
 * first event after it. One that begins in the middle of a revision leaves that revision's first events before it.
 */
function removeChunks(state: MultiVersionState, through: number): void {
  const { layers } = state;
  const removable: Uint8Array[] = [];
  let previous: Uint8Array | null = null;
  const chunks = layers.scanEvents({ from: null, to: eventKey(through + 1, 1), reverse: false });
  for (; chunks.key !== null; chunks.advance()) {
    if (previous !== null) removable.push(previous);
    previous = chunks.key;
  }
  for (const key of removable) layers.active.events.set(key, null);
}
