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
  const life = await nextLife(platform, directory);
  return (life % 0x1_0000) * 0x1_0000_0000 + platform.random.fork('incarnation').u32();
}

/** A second file is written and renamed over the first, so that a crash leaves one or the other. */
async function nextLife(platform: Platform, directory: string): Promise<number> {
  const { disk } = platform;
  const path = `${directory}/incarnation`;
  const next = (await readLife(platform, path)) + 1;
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

async function readLife(platform: Platform, path: string): Promise<number> {
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

function encode(platform: Platform, life: number): Uint8Array {
  const bytes = new Uint8Array(fileBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, Math.floor(life / 0x1_0000_0000));
  view.setUint32(4, life >>> 0);
  view.setUint32(8, platform.checksum(bytes.subarray(0, 8)));
  return bytes;
}
