import { isFlotillaError, type Disk, type DiskFile, type Platform } from '@flotilla/platform';
import { segmentHeaderBytes, segmentName, temporaryName } from './format.ts';
import { encodeSegmentHeader, type LogIdentity, type SegmentHeader } from './segment-header.ts';

/** One file of the log, open. */
export class Segment {
  readonly sequence: number;
  readonly sizeBytes: number;
  /** Seeds the checksum of every record in it. */
  readonly checksum: number;
  readonly path: string;
  readonly file: DiskFile;
  #readers = 0;
  #removed = false;

  constructor(path: string, file: DiskFile, header: SegmentHeader) {
    this.path = path;
    this.file = file;
    this.sequence = header.sequence;
    this.sizeBytes = header.sizeBytes;
    this.checksum = header.checksum;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    this.#readers += 1;
    try {
      return await this.file.read(offset, length);
    } finally {
      this.#readers -= 1;
      if (this.#removed && this.#readers === 0) await this.file.close();
    }
  }

  /** Closes the file as soon as nobody reads it. */
  async release(): Promise<void> {
    this.#removed = true;
    if (this.#readers === 0) await this.file.close();
  }
}

/**
 * Makes a segment that a crash cannot take back or show half made: written under a temporary name, synced, renamed,
 * and the directory synced. Only then may a record in it be acknowledged.
 *
 * It is filled with zeros beforehand because a sync that has no new blocks to note down is twice as fast, and because
 * a full disk is then met here, where nothing is lost, and not in the middle of an append.
 */
export async function createSegment(
  platform: Platform,
  directory: string,
  identity: LogIdentity,
  sequence: number,
  sizeBytes: number,
  chunkBytes: number,
): Promise<Segment> {
  const { disk } = platform;
  const temporary = `${directory}/${temporaryName(sequence)}`;
  const path = `${directory}/${segmentName(sequence)}`;
  const { bytes, header } = encodeSegmentHeader(platform, identity, sequence, sizeBytes);
  await removeIfThere(disk, temporary);
  const file = await disk.open(temporary, 'create');
  try {
    file.write(0, bytes);
    await fillWithZeros(platform, file, segmentHeaderBytes, sizeBytes, chunkBytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
  return new Segment(path, await disk.open(path, 'write'), header);
}

/** In chunks, one a turn of the event loop, so that a new segment stalls nobody. Does not sync. */
export async function fillWithZeros(
  platform: Platform,
  file: DiskFile,
  from: number,
  to: number,
  chunkBytes: number,
): Promise<void> {
  const zeros = new Uint8Array(Math.min(chunkBytes, Math.max(0, to - from)));
  for (let at = from; at < to; at += zeros.length) {
    file.write(at, zeros.subarray(0, Math.min(zeros.length, to - at)));
    await new Promise<void>((resolve) => platform.defer(resolve));
  }
}

/** Each removal is durable before the next begins: a gap between segments would look like a lost one. */
export async function removeSegment(disk: Disk, directory: string, segment: Segment): Promise<void> {
  await disk.unlink(segment.path);
  await disk.syncDirectory(directory);
  await segment.release();
}

async function removeIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path);
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_DISK_NOT_FOUND')) throw error;
  }
}
