import type { Platform } from '@flotilla/platform';
import { FlotillaError, isFlotillaError } from '@flotilla/platform';

/**
 * The number of this life of a member. Answers to an earlier life, and entries that an earlier life proposed, are told
 * apart by it.
 *
 * Its upper 16 bits count the lives, in a file, durable before the number is used; the lower 32 are random, so that a
 * member whose directory was wiped does not take what it proposed before for its own.
 */
export async function nextIncarnation(platform: Platform, directory: string): Promise<number> {
  return (await beginLife(platform, directory, 0)).incarnation;
}

/** A life of a member, and what it inherits. */
export interface Life {
  readonly incarnation: number;
  /** No former life has promised a leader to elect nobody else for longer than that; see `lease.ts`. */
  readonly formerPromiseMs: number;
}

/**
 * As {@link nextIncarnation}, for a life whose promises are for `promiseMs` at most: written down before the first is
 * made. What is kept is the longest of all, because the life before the last may have ended a moment ago.
 */
export async function beginLife(platform: Platform, directory: string, promiseMs: number): Promise<Life> {
  const { lives, longestPromiseMs } = await readRecord(platform, `${directory}/incarnation`);
  const record = { lives: lives + 1, longestPromiseMs: Math.max(longestPromiseMs, promiseMs) };
  await writeRecord(platform, directory, record);
  const random = platform.random.fork('incarnation').u32();
  const incarnation = (record.lives % 0x1_0000) * 0x1_0000_0000 + random;
  return { incarnation, formerPromiseMs: longestPromiseMs };
}

interface LifeRecord {
  readonly lives: number;
  readonly longestPromiseMs: number;
}

/** A second file is written and renamed over the first, so that a crash leaves one or the other. */
async function writeRecord(platform: Platform, directory: string, record: LifeRecord): Promise<void> {
  const { disk } = platform;
  const path = `${directory}/incarnation`;
  const temporary = `${path}.new`;
  await disk.makeDirectory(directory);
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    file.write(0, encode(platform, record));
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
}

async function readRecord(platform: Platform, path: string): Promise<LifeRecord> {
  let file;
  try {
    file = await platform.disk.open(path, 'read');
  } catch (error) {
    if (isFlotillaError(error, 'FLOTILLA_DISK_NOT_FOUND')) return { lives: 0, longestPromiseMs: 0 };
    throw error;
  }
  try {
    const bytes = await file.read(0, fileBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length !== fileBytes || view.getUint32(16) !== platform.checksum(bytes.subarray(0, 16))) {
      throw new FlotillaError('FLOTILLA_INCARNATION_DAMAGED', `${path} is damaged at offset 0`);
    }
    return { lives: Number(view.getBigUint64(0)), longestPromiseMs: Number(view.getBigUint64(8)) };
  } finally {
    await file.close();
  }
}

/** Lives, milliseconds and checksum. */
const fileBytes = 20;

function encode(platform: Platform, { lives, longestPromiseMs }: LifeRecord): Uint8Array {
  const bytes = new Uint8Array(fileBytes);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(lives));
  view.setBigUint64(8, BigInt(longestPromiseMs));
  view.setUint32(16, platform.checksum(bytes.subarray(0, 16)));
  return bytes;
}
