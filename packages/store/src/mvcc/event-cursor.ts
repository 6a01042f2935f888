import { compareBytes, successor } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { holdsKey, type KeySpan } from '../shard/key-span.ts';
import type { Cursor } from '../storage.ts';
import { EventFlag, type EventRecord } from './event-log.ts';
import { eventKey, eventsEnd, revisionOfEvent, subOfEvent } from './keys.ts';
import type { Layers } from './layers.ts';

/**
 * Walks events in order, from the first one at or after `from`. Valid until the next write to the layers.
 *
 * Those of a shard are in several logs, each of them in one. Of one revision they come by the spans of the logs, which is
 * the same order on every node, whatever it has of the logs that there once were; they are numbered anew.
 */
export class EventCursor {
  /** Null: beyond the last event. */
  event: EventRecord | null = null;
  /** In the order of their spans. */
  readonly #logs: LogCursor[] = [];
  readonly #numbers: boolean;
  #current: LogCursor | null = null;

  constructor(layers: Layers, from: number) {
    layers.settle();
    const { span, logs, isWhole } = layers.scope;
    const sources = logs.closed
      .filter(({ through }) => through >= from)
      .map((log) => ({ ...log, isOwn: false }));
    if (logs.own !== null) sources.push({ log: logs.own, span, through: Infinity, isOwn: true });
    if (sources.length > 1) sources.sort((a, b) => compareBytes(a.span.from, b.span.from));
    for (const { log, span: own, isOwn } of sources) {
      this.#logs.push(new LogCursor(layers, log, isOwn ? null : own, from));
    }
    this.#numbers = !isWhole || logs.closed.length > 0;
    this.#next();
  }

  advance(): void {
    if (this.#current === null) return;
    this.#current.advance();
    this.#next();
  }

  close(): void {
    this.event = null;
    this.#current = null;
    for (const log of this.#logs) log.close();
  }

  #next(): void {
    let first: LogCursor | null = null;
    for (const log of this.#logs) {
      if (log.event === null) continue;
      if (first === null || log.event.revision < (first.event as EventRecord).revision) first = log;
    }
    this.#current = first;
    this.event = first === null ? null : this.#numbered(first.event as EventRecord, this.event);
  }

  #numbered(event: EventRecord, last: EventRecord | null): EventRecord {
    if (!this.#numbers) return event;
    const sub = last === null || last.revision !== event.revision ? 0 : last.sub + 1;
    return sub === event.sub ? event : { ...event, sub };
  }
}

/** The events of one log; with a span, of its keys alone. */
class LogCursor {
  event: EventRecord | null = null;
  readonly #span: KeySpan | null;
  readonly #chunks: Cursor<Uint8Array>;
  #reader = new ByteReader(new Uint8Array(0));
  #revision = 0;
  #sub = 0;

  constructor(layers: Layers, log: number, span: KeySpan | null, from: number) {
    this.#span = span;
    const start = eventKey(log, from, 0);
    const floor = layers.scanEvents({ from: eventKey(log, 0, 0), to: successor(start), reverse: true });
    const first = floor.key ?? start;
    floor.close();
    this.#chunks = layers.scanEvents({ from: first, to: eventsEnd(log), reverse: false });
    this.#open();
    while (this.event !== null && (this.event.revision < from || this.#isForeign(this.event))) this.#step();
  }

  advance(): void {
    do this.#step();
    while (this.event !== null && this.#isForeign(this.event));
  }

  close(): void {
    this.event = null;
    this.#chunks.close();
  }

  #isForeign({ key }: EventRecord): boolean {
    return this.#span !== null && !holdsKey(this.#span, key);
  }

  #step(): void {
    if (this.#reader.remaining > 0) {
      this.event = this.#read();
      return;
    }
    this.#chunks.advance();
    this.#open();
  }

  #open(): void {
    const key = this.#chunks.key;
    if (key === null) {
      this.event = null;
      return;
    }
    this.#revision = revisionOfEvent(key);
    this.#sub = subOfEvent(key) - 1;
    this.#reader = new ByteReader(this.#chunks.value);
    this.event = this.#read();
  }

  #read(): EventRecord {
    const reader = this.#reader;
    const flags = reader.byte();
    const isLater = (flags & (EventFlag.NEXT_REVISION | EventFlag.LATER_REVISION)) !== 0;
    if (isLater) {
      this.#revision += (flags & EventFlag.LATER_REVISION) === 0 ? 1 : reader.varint();
      this.#sub = 0;
    } else {
      this.#sub += 1;
    }
    const key = reader.lengthPrefixed();
    const distance = reader.varint();
    return {
      revision: this.#revision,
      sub: this.#sub,
      deleted: (flags & EventFlag.DELETED) !== 0,
      created: (flags & EventFlag.CREATED) !== 0,
      key,
      previousRevision: distance === 0 ? 0 : this.#revision - distance + 1,
      previousBytes: distance === 0 ? 0 : reader.varint(),
      place: (flags & EventFlag.PLACED) === 0 ? this.#sub : reader.varint(),
    };
  }
}
