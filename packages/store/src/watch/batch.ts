import { EventType } from '@flotilla/wire';
import type { Event, KeyValue } from '@flotilla/wire';
import type { Change } from '../mvcc/state.ts';
import { eventBytes } from './event-size.ts';
import type { Watcher } from './watcher.ts';

export function plainEvent({ kv, deleted }: Change): Event {
  return { type: deleted ? EventType.DELETE : EventType.PUT, kv, prevKv: null };
}

export function tombstone(key: Uint8Array, modRevision: number): KeyValue {
  return { key, createRevision: 0, modRevision, version: 0, value: noValue, lease: 0n };
}

const noValue = new Uint8Array(0);

export function revisionOf({ kv }: Event): number {
  return (kv as KeyValue).modRevision;
}

/** Notes an event for a watcher. `touched`: those that have some. */
export function collect(watcher: Watcher, event: Event, touched: Watcher[]): void {
  if (watcher.batch === null) {
    watcher.batch = [];
    watcher.batchBytes = 0;
    touched.push(watcher);
  }
  watcher.batch.push(event);
  watcher.batchBytes += eventBytes(event);
}

export interface BatchBounds {
  readonly batchBytes: number;
  readonly batchEvents: number;
}

/** Sends what was collected, cut between revisions when it is much. */
export function sendBatch(watcher: Watcher, { batchBytes, batchEvents }: BatchBounds): void {
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
