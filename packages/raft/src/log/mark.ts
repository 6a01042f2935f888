import type { Platform } from '@flotilla/platform';
import { readU32 } from './bytes.ts';
import { markBytes, markMagic } from './format.ts';

/** A note, far from the records, of how much of a segment is durable. */
export interface Mark {
  readonly position: number;
  /** The checksum of the record that ends there. */
  readonly previous: number;
}

export function encodeMark(platform: Platform, seed: number, mark: Mark): Uint8Array {
  const bytes = new Uint8Array(markBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, markMagic, true);
  view.setUint32(8, mark.position, true);
  view.setUint32(12, mark.previous, true);
  view.setUint32(4, platform.checksum(bytes.subarray(8), seed), true);
  return bytes;
}

/** Null when there is none, or one that was torn: then it says nothing. */
export function decodeMark(platform: Platform, seed: number, bytes: Uint8Array): Mark | null {
  if (bytes.length < markBytes) return null;
  if (readU32(bytes, 0) !== markMagic) return null;
  if (readU32(bytes, 4) !== platform.checksum(bytes.subarray(8, markBytes), seed)) return null;
  return { position: readU32(bytes, 8), previous: readU32(bytes, 12) };
}
