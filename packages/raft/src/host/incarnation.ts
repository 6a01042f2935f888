import type { Platform } from '@flotilla/platform';
import { FlotillaError, isFlotillaError } from '@flotilla/platform';

/**
 * The number of this life of a member: one more than that of the life before, kept in a file, and durable before it is
 * used. Answers to an earlier life, and entries that an earlier life proposed, are told apart by it.
 *
 * A second file is written and renamed over the first, so that a crash leaves one or the other.
 */
export async function nextIncarnation(platform: Platform, directory: string): Promise<number> {
  const { disk } = platform;
  const path = `${directory}/incarnation`;
  const next = (await readIncarnation(platform, path)) + 1;
  const temporary = `${path}.new`;
  await disk.makeDirectory(directory);
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    file.write(0, encode(platform, next));
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(directory);
  return next;
}

async function readIncarnation(platform: Platform, path: string): Promise<number> {
  let file;
  try {
    file = await platform.disk.open(path, 'read');
  } catch (error) {
    if (isFlotillaError(error, 'FLOTILLA_DISK_NOT_FOUND')) return 0;
    throw error;
  }
  try {
    const bytes = await file.read(0, fileBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length !== fileBytes || view.getUint32(8) !== platform.checksum(bytes.subarray(0, 8))) {
      throw new FlotillaError('FLOTILLA_INCARNATION_DAMAGED', `${path} is damaged at offset 0`);
    }
    return view.getUint32(0) * 0x1_0000_0000 + view.getUint32(4);
  } finally {
    await file.close();
  }
}

/** Number and checksum. */
const fileBytes = 12;

function encode(platform: Platform, incarnation: number): Uint8Array {
  const bytes = new Uint8Array(fileBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(incarnation / 0x1_0000_0000));
  view.setUint32(4, incarnation >>> 0);
  view.setUint32(8, platform.checksum(bytes.subarray(0, 8)));
  return bytes;
}
