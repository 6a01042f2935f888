import { assert, FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
import { limits } from './limits.ts';
import { keyOfHistory } from './mvcc/keys.ts';
import { readPastVersion, readVersion, versionBytes } from './mvcc/records.ts';
import { Table } from './mvcc/tables.ts';

/**
 * A snapshot as a stream of frames: length, CRC-32 and content. The first says which format and state it is, the
 * last how many entries came, and those between carry sorted entries of one table each. Frames are cut by size and do
 * not depend on how the stream is cut into chunks on its way.
 *
 * `header` is that of a whole database, `shard` that of a shard. By place: a kind never changes its own.
 */
export type FrameKind = 'header' | 'latest' | 'history' | 'events' | 'end' | 'system' | 'shard';

const frameKinds: readonly FrameKind[] = ['header', 'latest', 'history', 'events', 'end', 'system', 'shard'];
const frameHeaderBytes = 8;
const frameContentBytes = limits.snapshotChunkBytes - 64;

/** Which frames carry entries, and of which {@link Table}. */
const tables: { readonly [Kind in FrameKind]?: number } = {
  latest: Table.LATEST,
  history: Table.HISTORY,
  events: Table.EVENTS,
  system: Table.SYSTEM,
};

export interface SnapshotEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

export interface SnapshotEntries {
  /** {@link Table}. */
  readonly table: number;
  readonly entries: readonly SnapshotEntry[];
}

/** Makes the frames of one snapshot. */
export class SnapshotFrames {
  readonly #platform: Platform;
  #entries = 0;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  head(kind: 'header' | 'shard', write: (writer: ByteWriter) => void): Uint8Array {
    return this.#frame(kind, write);
  }

  *table(
    kind: 'latest' | 'history' | 'events' | 'system',
    entries: Iterable<SnapshotEntry>,
  ): Iterable<Uint8Array> {
    const body = new ByteWriter();
    let sinceMs = this.#platform.now();
    for (const { key, value } of entries) {
      // Of events, a frame has more than may be read in one turn.
      if (this.#platform.now() - sinceMs > limits.sliceMs) {
        yield nothingYet;
        sinceMs = this.#platform.now();
      }
      const bytes = key.length + value.length + 16;
      if (body.length > 0 && body.length + bytes > frameContentBytes) {
        yield this.#body(kind, body);
        sinceMs = this.#platform.now();
      }
      body.lengthPrefixed(key);
      body.lengthPrefixed(value);
      this.#entries += 1;
    }
    if (body.length > 0) yield this.#body(kind, body);
  }

  end(): Uint8Array {
    return this.#frame('end', (writer) => writer.varint(this.#entries));
  }

  #body(kind: FrameKind, body: ByteWriter): Uint8Array {
    const content = body.take();
    return this.#frame(kind, (writer) => writer.bytes(content));
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

/** The next frame takes longer than a turn should. */
const nothingYet: Uint8Array = new Uint8Array(0);

/** Frames as chunks, one frame a turn at most: a snapshot is long and nobody should notice it. */
export async function* chunksOf(platform: Platform, frames: Iterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for (const frame of frames) {
    // A frame is larger than a chunk when one value is.
    for (let at = 0; at < frame.length; at += limits.snapshotChunkBytes) {
      yield frame.subarray(at, at + limits.snapshotChunkBytes);
    }
    await new Promise<void>((resolve) => platform.defer(resolve));
  }
}

/**
 * Takes a snapshot in, chunk by chunk, and checks that it is whole. Throws `FLOTILLA_SNAPSHOT_DAMAGED`, and what
 * `readHeader` does.
 */
export class SnapshotIntake<Header> {
  /** Null: it has not come yet. Always before the first entries. */
  header: Header | null = null;
  readonly #platform: Platform;
  readonly #headerKind: 'header' | 'shard';
  readonly #readHeader: (reader: ByteReader) => Header;
  #pending: Uint8Array = new Uint8Array(0);
  #entries = 0;
  #ended = false;

  constructor(
    platform: Platform,
    headerKind: 'header' | 'shard',
    readHeader: (reader: ByteReader) => Header,
  ) {
    this.#platform = platform;
    this.#headerKind = headerKind;
    this.#readHeader = readHeader;
  }

  *push(chunk: Uint8Array): Iterable<SnapshotEntries> {
    for (const content of this.#frames(chunk)) {
      const entries = this.#take(new ByteReader(content));
      if (entries !== null) yield entries;
    }
  }

  /** Everything has come. */
  finish(): Header {
    if (!this.#ended || this.header === null || this.#pending.length > 0)
      throw damaged('it ends before its end');
    return this.header;
  }

  *#frames(chunk: Uint8Array): Iterable<Uint8Array> {
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
      yield content;
    }
    this.#pending = bytes.subarray(at);
  }

  #take(reader: ByteReader): SnapshotEntries | null {
    if (this.#ended) throw damaged('it goes on after its end');
    const kind = frameKinds[reader.byte()];
    if (kind === this.#headerKind) {
      if (this.header !== null) throw damaged('it has two headers');
      this.header = this.#readHeader(reader);
      return null;
    }
    const table = kind === undefined ? undefined : tables[kind];
    if (kind !== 'end' && table === undefined) throw damaged('a frame is of an unknown kind');
    if (this.header === null) throw damaged('it has no header');
    if (table === undefined) {
      if (reader.varint() !== this.#entries) throw damaged('entries are missing');
      this.#ended = true;
      return null;
    }
    const entries = readEntries(reader);
    this.#entries += entries.length;
    return { table, entries };
  }
}

function readEntries(reader: ByteReader): SnapshotEntry[] {
  const entries: SnapshotEntry[] = [];
  while (reader.remaining > 0) {
    entries.push({ key: reader.lengthPrefixed(), value: reader.lengthPrefixed() });
  }
  assert(entries.length > 0, 'a frame of entries has some');
  return entries;
}

/** Of the versions among them, see {@link versionBytes}. */
export function liveBytesOf({ table, entries }: SnapshotEntries): number {
  let bytes = 0;
  for (const { key, value } of entries) {
    if (table === Table.LATEST) bytes += versionBytes(readVersion(key, value));
    else if (table === Table.HISTORY) bytes += versionBytes(readPastVersion(keyOfHistory(key), value).kv);
  }
  return bytes;
}

export function damaged(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', `damaged snapshot: ${what}`);
}

/** Throws `FLOTILLA_SNAPSHOT_VERSION` for a format that a newer program writes. */
export function checkSnapshotFormat(format: number, known: readonly number[]): void {
  if (known.includes(format)) return;
  throw new FlotillaError(
    'FLOTILLA_SNAPSHOT_VERSION',
    `the snapshot has format ${format}; this program reads ${Math.max(...known)}`,
  );
}
