import { FlotillaError } from '@flotilla/platform';
import type { DiskFile, Platform } from '@flotilla/platform';
import type { Configuration, Index, NodeId, Term } from '../core/types.ts';
import { ByteReader, ByteWriter } from '../host/bytes.ts';
import { replicaLimits } from './limits.ts';

/**
 * The bytes of a snapshot file, version 1. All numbers are big-endian.
 *
 * ```text
 * header     0 magic (8 bytes) · 8 version u32 · 12 checksum u32 · 16 length u32 · body
 * chunks     length u32 · checksum u32 · bytes
 * end        0 u32 · checksum u32 · number of chunks (8 bytes) · their bytes (8 bytes)
 * ```
 *
 * The header's checksum is seeded with the version, and each later one with the one before it: a chunk that is damaged,
 * missing, repeated or from another file breaks the chain, and the last checksum is one over the whole.
 */
export const snapshotFormatVersion = 1;

/** What a snapshot file says of itself. */
export interface SnapshotHeader {
  readonly clusterId: bigint;
  readonly index: Index;
  readonly term: Term;
  /** The one in force there. A log that is begun anew with this snapshot has it from nowhere else. */
  readonly configuration: Configuration;
  /** A peer sent it, and the log may know nothing of it yet; else this member's log led up to it. */
  readonly received: boolean;
}

const magic: Uint8Array = new TextEncoder().encode('flotsnap');
const headerBytes = 20;
const chunkHeaderBytes = 8;
const endBytes = chunkHeaderBytes + 16;

/**
 * Writes a snapshot file. It has no place among the snapshots until its owner has renamed it, and is durable when
 * {@link SnapshotWriter.finish} has resolved.
 */
export class SnapshotWriter {
  readonly path: string;
  readonly header: SnapshotHeader;
  readonly #platform: Platform;
  readonly #file: DiskFile;
  #position = 0;
  #checksum = 0;
  #chunks = 0;
  #contentBytes = 0;
  #unsyncedBytes = 0;

  private constructor(platform: Platform, path: string, header: SnapshotHeader, file: DiskFile) {
    this.#platform = platform;
    this.path = path;
    this.header = header;
    this.#file = file;
  }

  static async create(platform: Platform, path: string, header: SnapshotHeader): Promise<SnapshotWriter> {
    const writer = new SnapshotWriter(platform, path, header, await platform.disk.open(path, 'create'));
    writer.#writeHeader();
    return writer;
  }

  /** How much the file holds. */
  get sizeBytes(): number {
    return this.#position;
  }

  /** A chunk of at most `replicaLimits.snapshotChunkBytes`; an empty one is nothing. */
  async write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const head = new ByteWriter(chunkHeaderBytes);
    this.#checksum = this.#platform.checksum(bytes, this.#checksum);
    head.u32(bytes.length);
    head.u32(this.#checksum);
    this.#append(head.take());
    this.#append(bytes);
    this.#chunks += 1;
    this.#contentBytes += bytes.length;
    this.#unsyncedBytes += bytes.length;
    if (this.#unsyncedBytes < replicaLimits.snapshotSyncBytes) return;
    this.#unsyncedBytes = 0;
    await this.#file.sync();
  }

  /** Resolves when everything is durable but for the name. */
  async finish(): Promise<void> {
    const end = new ByteWriter(endBytes);
    end.u53(this.#chunks);
    end.u53(this.#contentBytes);
    const counts = end.take();
    end.u32(0);
    end.u32(this.#platform.checksum(counts, this.#checksum));
    end.raw(counts);
    this.#append(end.take());
    await this.#file.sync();
    await this.#file.close();
  }

  /** Gives up: the file is removed. */
  async abort(): Promise<void> {
    await this.#file.close();
    await this.#platform.disk.unlink(this.path);
  }

  #writeHeader(): void {
    const writer = new ByteWriter(1024);
    encodeHeaderBody(writer, this.header);
    const body = writer.take();
    this.#checksum = this.#platform.checksum(body, snapshotFormatVersion);
    writer.raw(magic);
    writer.u32(snapshotFormatVersion);
    writer.u32(this.#checksum);
    writer.blob(body);
    this.#append(writer.take());
  }

  #append(bytes: Uint8Array): void {
    this.#file.write(this.#position, bytes);
    this.#position += bytes.length;
  }
}

/**
 * Reads a snapshot file from its beginning, checking each chunk before it is given. Whatever is wrong throws
 * `FLOTILLA_SNAPSHOT_DAMAGED`, a newer format `FLOTILLA_SNAPSHOT_VERSION`; both name the file and the offset.
 */
export class SnapshotReader {
  readonly header: SnapshotHeader;
  readonly #platform: Platform;
  readonly #file: DiskFile;
  readonly #start: number;
  readonly #seed: number;

  private constructor(
    platform: Platform,
    file: DiskFile,
    header: SnapshotHeader,
    start: number,
    seed: number,
  ) {
    this.#platform = platform;
    this.#file = file;
    this.header = header;
    this.#start = start;
    this.#seed = seed;
  }

  static async open(platform: Platform, path: string): Promise<SnapshotReader> {
    const file = await platform.disk.open(path, 'read');
    try {
      const { header, start, checksum } = await readHeader(platform, file);
      return new SnapshotReader(platform, file, header, start, checksum);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#file.size();
  }

  /** Reads everything once and answers nothing: throws when any of it is damaged. */
  async verify(): Promise<void> {
    const chunks = this.chunks();
    let next = await chunks.next();
    while (next.done !== true) next = await chunks.next();
  }

  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    let position = this.#start;
    let checksum = this.#seed;
    let chunks = 0;
    let contentBytes = 0;
    for (;;) {
      const head = await this.#read(position, chunkHeaderBytes);
      const length = head.u32();
      const expected = head.u32();
      if (length === 0) {
        await this.#checkEnd(position, checksum, expected, chunks, contentBytes);
        return;
      }
      if (length > replicaLimits.snapshotChunkBytes) {
        throw damaged(this.#file.path, position, `a chunk of ${length} bytes`);
      }
      const bytes = (await this.#read(position + chunkHeaderBytes, length)).raw(length);
      checksum = this.#platform.checksum(bytes, checksum);
      if (checksum !== expected) {
        throw damaged(this.#file.path, position, 'the chunk fails its checksum');
      }
      position += chunkHeaderBytes + length;
      chunks += 1;
      contentBytes += length;
      yield bytes;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #checkEnd(
    position: number,
    checksum: number,
    expected: number,
    chunks: number,
    contentBytes: number,
  ): Promise<void> {
    const counts = await this.#read(position + chunkHeaderBytes, endBytes - chunkHeaderBytes);
    const bytes = counts.raw(endBytes - chunkHeaderBytes);
    const reader = new ByteReader(bytes);
    const whole =
      this.#platform.checksum(bytes, checksum) === expected &&
      reader.u53() === chunks &&
      reader.u53() === contentBytes &&
      this.#file.size() === position + endBytes;
    if (!whole) throw damaged(this.#file.path, position, 'the end does not fit what is before it');
  }

  async #read(position: number, length: number): Promise<ByteReader> {
    const bytes = await this.#file.read(position, length);
    if (bytes.length < length)
      throw damaged(this.#file.path, position + bytes.length, 'the file has been cut short');
    return new ByteReader(bytes);
  }
}

async function readHeader(
  platform: Platform,
  file: DiskFile,
): Promise<{ readonly header: SnapshotHeader; readonly start: number; readonly checksum: number }> {
  const bytes = await file.read(0, headerBytes);
  if (bytes.length < headerBytes) throw damaged(file.path, bytes.length, 'the file ends within its header');
  const reader = new ByteReader(bytes);
  if (!reader.raw(magic.length).every((byte, i) => byte === magic[i])) {
    throw damaged(file.path, 0, 'this is not the header of a snapshot');
  }
  const version = reader.u32();
  const checksum = reader.u32();
  const length = reader.u32();
  const body = await file.read(headerBytes, Math.min(length, replicaLimits.snapshotHeaderBytes));
  const intact = body.length === length && platform.checksum(body, snapshotFormatVersion) === checksum;
  if (version !== snapshotFormatVersion) {
    // The version seeds the checksum: when ours fits, it is the version field that has changed.
    if (intact) throw damaged(file.path, 8, 'the format version is damaged');
    throw new FlotillaError(
      'FLOTILLA_SNAPSHOT_VERSION',
      `${file.path} has snapshot format ${version}; this program reads and writes format ${snapshotFormatVersion} only`,
    );
  }
  if (!intact) throw damaged(file.path, 12, 'the header fails its checksum');
  return { header: decodeHeaderBody(new ByteReader(body)), start: headerBytes + length, checksum };
}

function encodeHeaderBody(writer: ByteWriter, header: SnapshotHeader): void {
  writer.u64(header.clusterId);
  writer.u53(header.index);
  writer.u53(header.term);
  const { configuration } = header;
  encodeIds(writer, configuration.voters);
  encodeIds(writer, configuration.votersOutgoing);
  encodeIds(writer, configuration.learners);
  encodeIds(writer, configuration.learnersNext);
  encodeIds(writer, configuration.removed);
  writer.u8(configuration.autoLeave ? 1 : 0);
  writer.u8(header.received ? 1 : 0);
}

function decodeHeaderBody(reader: ByteReader): SnapshotHeader {
  const clusterId = reader.u64();
  const index = reader.u53() as Index;
  const term = reader.u53() as Term;
  const voters = decodeIds(reader);
  const votersOutgoing = decodeIds(reader);
  const learners = decodeIds(reader);
  const learnersNext = decodeIds(reader);
  const removed = decodeIds(reader);
  const autoLeave = reader.bool();
  const configuration = { voters, votersOutgoing, learners, learnersNext, removed, autoLeave };
  return { clusterId, index, term, configuration, received: reader.bool() };
}

function encodeIds(writer: ByteWriter, ids: readonly NodeId[]): void {
  writer.u32(ids.length);
  for (const id of ids) writer.u53(id);
}

function decodeIds(reader: ByteReader): readonly NodeId[] {
  const ids: NodeId[] = [];
  for (let left = reader.count(8); left > 0; left -= 1) ids.push(reader.u53() as NodeId);
  return ids;
}

function damaged(path: string, offset: number, what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', `${path} is damaged at offset ${offset}: ${what}`);
}
