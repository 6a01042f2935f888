import { successor } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import type { Cursor } from '../storage.ts';
import { eventKey, readRevision, readUint32 } from './keys.ts';
import type { Layers } from './layers.ts';

/**
 * That a key changed at a revision. The version that a put made is looked up with the key and the revision, so that
 * no value is stored twice.
 */
export interface EventRecord {
  readonly revision: number;
  /** Its place among the changes of one revision, from 0. */
  readonly sub: number;
  readonly deleted: boolean;
  /** A put of a key that was absent. */
  readonly created: boolean;
  readonly key: Uint8Array;
  /** The revision of the version that it replaced; 0: none. */
  readonly previousRevision: number;
  /** What that version counts as stored. */
  readonly previousBytes: number;
  /**
   * Of a transaction over several shards: the place of the operation in the whole of it, from 1, so that the events of
   * all of them can be put in order: by place, then by key. 0: the revision is of one shard, and `sub` is the order.
   */
  readonly place: number;
}

const deletedFlag = 1;
const createdFlag = 2;
const nextRevisionFlag = 4;
const placedFlag = 8;

/**
 * Writes events into chunks: one storage record for some hundreds of them. The open chunk is sealed before each
 * commit and before each read.
 */
export class EventLog {
  readonly #writer = new ByteWriter();
  #firstRevision = 0;
  #firstSub = 0;
  #lastRevision = 0;

  append(event: EventRecord): void {
    const writer = this.#writer;
    if (writer.length === 0) {
      this.#firstRevision = event.revision;
      this.#firstSub = event.sub;
      this.#lastRevision = event.revision;
    }
    // Within one revision sub-revisions are dense, and so are revisions: a flag tells where an event is.
    const next = event.revision !== this.#lastRevision;
    this.#lastRevision = event.revision;
    writer.byte(
      (event.deleted ? deletedFlag : 0) |
        (event.created ? createdFlag : 0) |
        (next ? nextRevisionFlag : 0) |
        (event.place > 0 ? placedFlag : 0),
    );
    writer.lengthPrefixed(event.key);
    // A key that one transaction puts and then deletes replaces a version of the same revision.
    writer.varint(event.previousRevision === 0 ? 0 : event.revision - event.previousRevision + 1);
    if (event.previousRevision !== 0) writer.varint(event.previousBytes);
    if (event.place > 0) writer.varint(event.place);
  }

  get full(): boolean {
    return this.#writer.length >= limits.eventChunkBytes;
  }

  /** Puts the open chunk into the active write buffer. */
  seal(layers: Layers): void {
    if (this.#writer.length === 0) return;
    const chunk = this.#writer.take();
    layers.active.events.set(eventKey(this.#firstRevision, this.#firstSub), chunk);
    layers.active.bytes += chunk.length;
  }
}

/** Walks events in order, from the first one at or after `from`. Valid until the next write to the layers. */
export class EventCursor {
  /** Null: beyond the last event. */
  event: EventRecord | null = null;
  readonly #chunks: Cursor<Uint8Array>;
  #reader = new ByteReader(new Uint8Array(0));
  #revision = 0;
  #sub = 0;

  constructor(layers: Layers, from: number) {
    layers.settle();
    const start = eventKey(from, 0);
    const floor = layers.scanEvents({ from: null, to: successor(start), reverse: true });
    const first = floor.key ?? start;
    floor.close();
    this.#chunks = layers.scanEvents({ from: first, to: null, reverse: false });
    this.#open();
    while (this.event !== null && this.event.revision < from) this.advance();
  }

  advance(): void {
    if (this.#reader.remaining > 0) {
      this.event = this.#read();
      return;
    }
    this.#chunks.advance();
    this.#open();
  }

  close(): void {
    this.event = null;
    this.#chunks.close();
  }

  #open(): void {
    const key = this.#chunks.key;
    if (key === null) {
      this.event = null;
      return;
    }
    this.#revision = readRevision(key, 0);
    this.#sub = readUint32(key, 8) - 1;
    this.#reader = new ByteReader(this.#chunks.value);
    this.event = this.#read();
  }

  #read(): EventRecord {
    const reader = this.#reader;
    const flags = reader.byte();
    if ((flags & nextRevisionFlag) === 0) {
      this.#sub += 1;
    } else {
      this.#revision += 1;
      this.#sub = 0;
    }
    const key = reader.lengthPrefixed();
    const distance = reader.varint();
    return {
      revision: this.#revision,
      sub: this.#sub,
      deleted: (flags & deletedFlag) !== 0,
      created: (flags & createdFlag) !== 0,
      key,
      previousRevision: distance === 0 ? 0 : this.#revision - distance + 1,
      previousBytes: distance === 0 ? 0 : reader.varint(),
      place: (flags & placedFlag) === 0 ? 0 : reader.varint(),
    };
  }
}
