/**
 * The bytes of a log on disk, version 1. All numbers are little-endian.
 *
 * A segment is a file of fixed size, filled with zeros before its first use:
 *
 * ```
 * header      0 magic (8 bytes) · 8 version u32 · 12 checksum u32 · 16 cluster u64 · 24 node u64 · 32 sequence u64
 *             40 segment size u32 · 44 salt u32 · zeros
 * mark      512 magic u32 · 516 checksum u32 · 520 position u32 · 524 checksum of the record before it u32 · zeros
 * records  1024 each at a multiple of 8, up to the first zeros or the seal
 * ```
 *
 * A record:
 *
 * ```
 *  0 magic u32      marks where a record may begin, for the search after a hole
 *  4 checksum u32   over everything from 8 to the end of the body, seeded with the segment header's checksum
 *  8 length u32     of the body
 * 12 position u32   of this record in its segment
 * 16 previous u32   checksum of the record before (of a segment's first record: of the seal before it)
 * 20 synced u32     everything before this position was durable when this record was written
 * 24 group u32
 * 28 kind u8 · 3 zeros
 * 32 body · zeros up to a multiple of 8
 * ```
 *
 * The mark says that everything before `position` is durable. It is written when the log has gone idle or is closed, and
 * is seeded like a record.
 *
 * The seed holds cluster, node, sequence and a random salt, and the record its own position: bytes that once were a
 * valid record elsewhere (another file, another place, another life of the same file name) fail the checksum here.
 * `previous` makes the records of a log one chain, across segments too.
 */
export const formatVersion = 1;

/** Header and mark have a sector each: what is written later must not be able to tear them. */
export const segmentHeaderBytes = 512;
export const markPosition = 512;
export const markBytes = 16;
export const firstRecordPosition = 1024;
export const recordHeaderBytes = 32;
export const recordAlignment = 8;
/** A seal has no body. Every segment keeps room for one. */
export const sealBytes = recordHeaderBytes;
export const entryHeaderBytes = 13;
export const recordMagic = 0x7261_66f1;
export const markMagic = 0x6b72_616d;

export const segmentMagic: Uint8Array = Uint8Array.from([0x66, 0x6c, 0x6f, 0x74, 0x2d, 0x6c, 0x6f, 0x67]);

const suffix = '.log';
const temporarySuffix = '.log.tmp';
const digits = 10;

export function segmentName(sequence: number): string {
  return String(sequence).padStart(digits, '0') + suffix;
}

export function temporaryName(sequence: number): string {
  return String(sequence).padStart(digits, '0') + temporarySuffix;
}

/** The sequence number in a segment's name, or null for any other file. */
export function sequenceOf(name: string): number | null {
  if (!/^\d{10}\.log$/.test(name)) return null;
  return Number(name.slice(0, digits));
}

export function isTemporary(name: string): boolean {
  return /^\d{10}\.log\.tmp$/.test(name);
}

/** The bytes that a record with a body of this length takes. */
export function recordBytes(bodyBytes: number): number {
  return (recordHeaderBytes + bodyBytes + recordAlignment - 1) & ~(recordAlignment - 1);
}
