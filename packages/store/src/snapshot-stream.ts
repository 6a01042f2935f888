import { FlotillaError, assert } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { Index, SnapshotSource, Term } from '@flotilla/raft';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
import { limits } from './limits.ts';
import { eventKey } from './mvcc/keys.ts';
import { formatOf, readState, storedFormats, writeState } from './mvcc/meta.ts';
import type { StoredState } from './mvcc/meta.ts';
import type { Pinned } from './mvcc/pinned.ts';
import { writePastVersion, writeVersion } from './mvcc/records.ts';
import { Table } from './mvcc/tables.ts';
import { successor } from './bytes.ts';

/**
 * A snapshot as a stream of frames: length, CRC-32 and content. The first says which format and state it is, the
 * last how many entries came, and those between carry sorted entries of one table each. Frames are cut by size and do
 * not depend on how the stream is cut into chunks on its way. Its format is that of the stored state.
 */
type FrameKind = 'header' | 'latest' | 'history' | 'events' | 'end' | 'system';

const frameKinds: readonly FrameKind[] = ['header', 'latest', 'history', 'events', 'end', 'system'];
const frameHeaderBytes = 8;
const frameContentBytes = limits.snapshotChunkBytes - 64;

export interface SnapshotHeader {
  readonly kind: 'header';
  readonly state: StoredState;
}

export interface SnapshotEntries {
  readonly kind: 'entries';
  /** {@link Table}. */
  readonly table: number;
  readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
}

export interface SnapshotEnd {
  readonly kind: 'end';
  readonly entries: number;
}

export type SnapshotFrame = SnapshotHeader | SnapshotEntries | SnapshotEnd;

/** Streams a pinned state. Releases it at the end, or when told to. */
export class DatabaseSnapshot implements SnapshotSource {
  readonly index: Index;
  readonly term: Term;
  readonly #platform: Platform;
  readonly #pinned: Pinned;
  readonly #state: StoredState;
  #entries = 0;

  constructor(platform: Platform, pinned: Pinned, state: StoredState) {
    this.#platform = platform;
    this.#pinned = pinned;
    this.#state = state;
    this.index = state.applied.index as Index;
    this.term = state.applied.term as Term;
  }

  release(): void {
    this.#pinned.release();
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    try {
      for (const frame of this.#frames()) {
        // A frame is larger than a chunk when one value is.
        for (let at = 0; at < frame.length; at += limits.snapshotChunkBytes) {
          yield frame.subarray(at, at + limits.snapshotChunkBytes);
        }
        // One frame a turn: a snapshot is long and nobody should notice it.
        await new Promise<void>((resolve) => this.#platform.defer(resolve));
      }
    } finally {
      this.release();
    }
  }

  *#frames(): Iterable<Uint8Array> {
    yield this.#frame('header', (writer) => {
      writer.byte(formatOf(this.#state));
      writeState(writer, this.#state);
    });
    yield* this.#latest();
    yield* this.#history();
    yield* this.#events();
    yield* this.#system();
    yield this.#frame('end', (writer) => writer.varint(this.#entries));
  }

  *#latest(): Iterable<Uint8Array> {
    const record = new ByteWriter();
    const body = new ByteWriter();
    const cursor = this.#pinned.layers.scanLatest({ from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) {
      writeVersion(record, cursor.value);
      yield* this.#entry('latest', body, cursor.key, record.take());
    }
    yield* this.#rest('latest', body);
  }

  *#history(): Iterable<Uint8Array> {
    const record = new ByteWriter();
    const body = new ByteWriter();
    const { compactRevision } = this.#pinned;
    const cursor = this.#pinned.layers.scanHistory({ from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) {
      const past = cursor.value;
      // Compaction has not come to it yet, but nobody can read it any more.
      if (!isReadable(past.kv.modRevision, past.end, compactRevision)) continue;
      writePastVersion(record, past);
      yield* this.#entry('history', body, cursor.key, record.take());
    }
    yield* this.#rest('history', body);
  }

  *#events(): Iterable<Uint8Array> {
    const body = new ByteWriter();
    const { layers, compactRevision } = this.#pinned;
    // From the chunk on that holds the compaction revision: a watch may start there.
    const start = successor(eventKey(Math.max(compactRevision, 0), 0));
    const floor = layers.scanEvents({ from: null, to: start, reverse: true });
    const from = floor.key;
    floor.close();
    const cursor = layers.scanEvents({ from, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) {
      yield* this.#entry('events', body, cursor.key, cursor.value);
    }
    yield* this.#rest('events', body);
  }

  *#system(): Iterable<Uint8Array> {
    const body = new ByteWriter();
    const cursor = this.#pinned.layers.scanSystem({ from: null, to: null, reverse: false });
    for (; cursor.key !== null; cursor.advance()) {
      yield* this.#entry('system', body, cursor.key, cursor.value);
    }
    yield* this.#rest('system', body);
  }

  *#entry(kind: FrameKind, body: ByteWriter, key: Uint8Array, value: Uint8Array): Iterable<Uint8Array> {
    const bytes = key.length + value.length + 16;
    if (body.length > 0 && body.length + bytes > frameContentBytes) yield* this.#rest(kind, body);
    body.lengthPrefixed(key);
    body.lengthPrefixed(value);
    this.#entries += 1;
  }

  *#rest(kind: FrameKind, body: ByteWriter): Iterable<Uint8Array> {
    if (body.length === 0) return;
    const content = body.take();
    yield this.#frame(kind, (writer) => writer.bytes(content));
  }

  #frame(kind: FrameKind, write: (writer: ByteWriter) => void): Uint8Array {
    const content = new ByteWriter();
    content.byte(frameKinds.indexOf(kind));
    write(content);
    const bytes = content.take();
    const frame = new ByteWriter(frameHeaderBytes + bytes.length);
    frame.uint32(bytes.length);
    frame.uint32(this.#platform.checksum(bytes));
    frame.bytes(bytes);
    return frame.take();
  }
}

/** Whether a past version can still be read, or be asked for by a watch that starts at the compaction revision. */
export function isReadable(modRevision: number, end: number, compactRevision: number): boolean {
  return end > compactRevision || modRevision === compactRevision;
}

/**
 * Puts frames together from chunks and checks them. Throws `FLOTILLA_SNAPSHOT_DAMAGED` and
 * `FLOTILLA_SNAPSHOT_VERSION`.
 */
export class SnapshotParser {
  readonly #platform: Platform;
  #pending: Uint8Array = new Uint8Array(0);

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** Whether a frame has begun and not ended. */
  get incomplete(): boolean {
    return this.#pending.length > 0;
  }

  *push(chunk: Uint8Array): Iterable<SnapshotFrame> {
    const bytes = new Uint8Array(this.#pending.length + chunk.length);
    bytes.set(this.#pending);
    bytes.set(chunk, this.#pending.length);
    let at = 0;
    while (bytes.length - at >= frameHeaderBytes) {
      const reader = new ByteReader(bytes, at);
      const length = reader.uint32();
      const checksum = reader.uint32();
      if (reader.remaining < length) break;
      const content = reader.bytes(length);
      if (this.#platform.checksum(content) !== checksum) throw damaged('a frame fails its checksum');
      at += frameHeaderBytes + length;
      yield parseFrame(content);
    }
    this.#pending = bytes.subarray(at);
  }
}

function parseFrame(content: Uint8Array): SnapshotFrame {
  const reader = new ByteReader(content);
  const kind = frameKinds[reader.byte()];
  switch (kind) {
    case 'header': {
      const format = reader.byte();
      if (format !== storedFormats.keys && format !== storedFormats.system) {
        throw new FlotillaError(
          'FLOTILLA_SNAPSHOT_VERSION',
          `the snapshot has format ${format}; this program reads ${storedFormats.system}`,
        );
      }
      return { kind: 'header', state: readState(reader, format) };
    }
    case 'end':
      return { kind: 'end', entries: reader.varint() };
    case 'latest':
      return { kind: 'entries', table: Table.LATEST, entries: readEntries(reader) };
    case 'history':
      return { kind: 'entries', table: Table.HISTORY, entries: readEntries(reader) };
    case 'events':
      return { kind: 'entries', table: Table.EVENTS, entries: readEntries(reader) };
    case 'system':
      return { kind: 'entries', table: Table.SYSTEM, entries: readEntries(reader) };
    case undefined:
    default:
      throw damaged('a frame is of an unknown kind');
  }
}

function readEntries(reader: ByteReader): { key: Uint8Array; value: Uint8Array }[] {
  const entries: { key: Uint8Array; value: Uint8Array }[] = [];
  while (reader.remaining > 0) {
    entries.push({ key: reader.lengthPrefixed(), value: reader.lengthPrefixed() });
  }
  assert(entries.length > 0, 'a frame of entries has some');
  return entries;
}

export function damaged(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', `damaged snapshot: ${what}`);
}
