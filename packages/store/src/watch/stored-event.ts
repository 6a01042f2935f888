import { assert } from '@flotilla/platform';
import { EventType } from '@flotilla/wire';
import type { Event, KeyValue } from '@flotilla/wire';
import type { EventRecord } from '../mvcc/event-log.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { tombstone } from './batch.ts';
import { eventBytes } from './event-size.ts';
import type { PastEvent } from './history.ts';

/** Where events are read. */
export type EventPoint = Pick<ReadPoint, 'layers' | 'compactRevision'>;

/** One stored event, looked up when the first watcher wants it. */
export class StoredEvent implements PastEvent {
  readonly #point: EventPoint;
  readonly #record: EventRecord;
  #plain: Event | null = null;
  #withPrevious: Event | null = null;

  constructor(point: EventPoint, record: EventRecord) {
    this.#point = point;
    this.#record = record;
  }

  get key(): Uint8Array {
    return this.#record.key;
  }

  get revision(): number {
    return this.#record.revision;
  }

  get deleted(): boolean {
    return this.#record.deleted;
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
