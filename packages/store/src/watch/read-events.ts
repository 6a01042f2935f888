import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import { limits } from '../limits.ts';
import { EventCursor } from '../mvcc/event-cursor.ts';
import type { EventRecord } from '../mvcc/event-log.ts';
import type { ShardMachine } from '../shard/shard-machine.ts';
import { eventBytes } from './event-size.ts';
import { type EventAnswer, type EventPosition, type EventRequest, ShardEvent } from './event-page.ts';
import { SpanSet } from './span-set.ts';
import { type EventPoint, StoredEvent } from './stored-event.ts';

/** What of a shard its events are read from. */
export type EventSourceShard = Pick<ShardMachine, 'serves' | 'ordered' | 'compactRevision' | 'store'>;

/**
 * The events of a shard that touch some spans, as this replica has them: a page of whole revisions, or a part of one
 * that is too large for a page. Synchronous, and bounded in what it looks at, too.
 */
export function readShardEvents(shard: EventSourceShard, request: EventRequest): EventAnswer {
  const { spans, lastFact, from, live } = request;
  if (!shard.serves(spans, lastFact)) {
    return { kind: shard.ordered < lastFact ? 'behind' : 'elsewhere' };
  }
  const { keys } = shard.store;
  const isKept = from.revision >= shard.compactRevision;
  if (!isKept && !(live && from.revision > keys.removedThrough)) {
    return { kind: 'compacted', revision: shard.compactRevision };
  }
  // What is above what was removed has what was before it, too.
  const compactRevision = isKept ? shard.compactRevision : -1;
  return new EventReader({ layers: keys.layers, compactRevision }, request).read();
}

class EventReader {
  readonly #point: EventPoint;
  readonly #request: EventRequest;
  readonly #spans: SpanSet;
  readonly #events: ShardEvent[] = [];
  #bytes = 0;
  /** Of `#events` those that belong to whole revisions. */
  #whole = 0;
  #next: EventPosition | null = null;

  constructor(point: EventPoint, request: EventRequest) {
    this.#point = point;
    this.#request = request;
    this.#spans = new SpanSet(request.spans);
  }

  read(): EventAnswer {
    const { from, through } = this.#request;
    const cursor = new EventCursor(this.#point.layers, from.revision);
    let visited = 0;
    let revision = 0;
    let group: EventRecord[] = [];
    for (; cursor.event !== null && cursor.event.revision <= through; cursor.advance()) {
      const { event } = cursor;
      if (event.revision !== revision) {
        this.#take(group);
        group = [];
        ({ revision } = event);
        if (this.#next === null && (this.#isFull(1) || visited >= limits.watchScanEvents)) {
          this.#next = { revision, skip: 0 };
        }
        if (this.#next !== null) break;
      }
      visited += 1;
      if (this.#spans.holds(event.key)) group.push(event);
    }
    cursor.close();
    if (this.#next === null) this.#take(group);
    return { kind: 'page', events: this.#events, next: this.#next };
  }

  #isFull(excess: number): boolean {
    const { maxEvents, maxBytes } = this.#request;
    return this.#events.length >= excess * maxEvents || this.#bytes >= excess * maxBytes;
  }

  /** All events of one revision. */
  #take(group: EventRecord[]): void {
    const [first] = group;
    if (first === undefined) return;
    const { from } = this.#request;
    const { revision } = first;
    // They may come from several logs, of shards that are one by now.
    if (group.length > 1) group.sort(comparePlaces);
    const skip = revision === from.revision ? from.skip : 0;
    for (let i = skip; i < group.length; i += 1) {
      if (i > skip && this.#isFull(limits.watchPageExcess)) return this.#cut(revision, skip, i);
      this.#add(group[i] as EventRecord);
    }
    this.#whole = this.#events.length;
  }

  /** In the middle of a revision, if there is nothing else in the page. */
  #cut(revision: number, skip: number, taken: number): void {
    this.#next = { revision, skip: this.#whole === 0 ? taken : skip };
    if (this.#whole > 0) this.#events.length = this.#whole;
  }

  #add(record: EventRecord): void {
    const stored = new StoredEvent(this.#point, record);
    const { kv, prevKv } = stored.get(this.#request.previous);
    const event = new ShardEvent(kv as KeyValue, record.deleted, prevKv, record.place);
    this.#events.push(event);
    this.#bytes += eventBytes(event.get(true));
  }
}

/** Of one revision: the order of the operations, and of each that of the keys. */
export function comparePlaces(a: OfPlace, b: OfPlace): number {
  return a.place === b.place ? compareBytes(a.key, b.key) : a.place - b.place;
}

type OfPlace = Pick<EventRecord, 'place' | 'key'>;
