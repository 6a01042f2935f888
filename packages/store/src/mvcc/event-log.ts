import { ByteWriter } from '../encoding/byte-writer.ts';
import { limits } from '../limits.ts';
import { eventKey } from './keys.ts';
import type { Layers } from './layers.ts';

/**
 * That a key changed at a revision. The version that a put made is looked up with the key and the revision, so that
 * no value is stored twice.
 */
export interface EventRecord {
  readonly revision: number;
  /** Its place in the log among the changes of one revision, from 0. */
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
   * Its place among all changes of its revision, in whatever shards they are: etcd's sub-revision. `sub` is its place among
   * those that are in the log by now.
   */
  readonly place: number;
}

export const EventFlag = {
  DELETED: 1,
  CREATED: 2,
  /** The first of the next revision. */
  NEXT_REVISION: 4,
  /** Has a place that is not its sub-revision in the log; it follows. */
  PLACED: 8,
  /** The first of a later revision; how much later follows. Only where there are shards a revision has no events. */
  LATER_REVISION: 16,
} as const;

/** Writes events into chunks: one storage record for some hundreds of them. */
export class EventChunkWriter {
  readonly #writer: ByteWriter;
  /** Of the chunk that is open. */
  firstRevision = 0;
  firstSub = 0;
  #lastRevision = 0;

  constructor(slabBytes: number) {
    this.#writer = new ByteWriter(slabBytes);
  }

  append(event: EventRecord): void {
    const writer = this.#writer;
    if (writer.length === 0) {
      this.firstRevision = event.revision;
      this.firstSub = event.sub;
      this.#lastRevision = event.revision;
    }
    // Within one revision sub-revisions are dense: a flag tells where an event is.
    const distance = event.revision - this.#lastRevision;
    this.#lastRevision = event.revision;
    writer.byte(
      (event.deleted ? EventFlag.DELETED : 0) |
        (event.created ? EventFlag.CREATED : 0) |
        (distance === 1 ? EventFlag.NEXT_REVISION : 0) |
        (event.place === event.sub ? 0 : EventFlag.PLACED) |
        (distance > 1 ? EventFlag.LATER_REVISION : 0),
    );
    if (distance > 1) writer.varint(distance);
    writer.lengthPrefixed(event.key);
    // A key that one transaction puts and then deletes replaces a version of the same revision.
    writer.varint(event.previousRevision === 0 ? 0 : event.revision - event.previousRevision + 1);
    if (event.previousRevision !== 0) writer.varint(event.previousBytes);
    if (event.place !== event.sub) writer.varint(event.place);
  }

  get isEmpty(): boolean {
    return this.#writer.length === 0;
  }

  get isFull(): boolean {
    return this.#writer.length >= limits.eventChunkBytes;
  }

  take(): Uint8Array {
    return this.#writer.take();
  }
}

/** The log that a shard, or the database, writes. The open chunk is sealed before each commit and before each read. */
export class EventLog {
  readonly #layers: Layers;
  readonly #chunk: EventChunkWriter;

  constructor(layers: Layers) {
    this.#layers = layers;
    this.#chunk = new EventChunkWriter(
      layers.scope.isWhole ? limits.eventSlabBytes : limits.shardEventSlabBytes,
    );
  }

  append(event: EventRecord): void {
    this.#chunk.append(event);
    if (this.#chunk.isFull) this.seal();
  }

  /** Puts the open chunk into the active write buffer. */
  seal(): void {
    if (this.#chunk.isEmpty) return;
    const { firstRevision, firstSub } = this.#chunk;
    const { active, scope } = this.#layers;
    const chunk = this.#chunk.take();
    active.events.set(eventKey(scope.logs.open(), firstRevision, firstSub), chunk);
    active.bytes += chunk.length;
  }
}
