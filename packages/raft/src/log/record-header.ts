import type { Platform } from '@flotilla/platform';
import { readU32, type ByteWriter } from './bytes.ts';
import { recordBytes, recordHeaderBytes, recordMagic } from './format.ts';
import { encodeBody, kindNumber, type RecordBody } from './record-body.ts';

export interface RecordHeader {
  readonly checksum: number;
  /** Of the body. */
  readonly length: number;
  readonly position: number;
  readonly previous: number;
  readonly synced: number;
  readonly group: number;
  readonly kind: number;
}

/** What ties a record to its place; see `format.ts`. */
export interface RecordLinks {
  /** Of the segment's header. */
  readonly seed: number;
  readonly position: number;
  readonly previous: number;
  readonly synced: number;
  readonly group: number;
}

const checkedFrom = 8;

/** Appends a whole record, whose body takes `length` bytes, and answers its checksum. */
export function encodeRecord(
  platform: Platform,
  to: ByteWriter,
  links: RecordLinks,
  body: RecordBody,
  length: number,
): number {
  const start = to.length;
  const size = recordBytes(length);
  to.reserve(size);
  to.u32(recordMagic);
  to.u32(0);
  to.u32(length);
  to.u32(links.position);
  to.u32(links.previous);
  to.u32(links.synced);
  to.u32(links.group);
  to.u32(kindNumber(body.kind));
  encodeBody(body, to);
  const checksum = platform.checksum(to.bytes.subarray(start + checkedFrom, to.length), links.seed);
  to.view.setUint32(start + 4, checksum, true);
  to.zeros(start + size - to.length);
  return checksum;
}

/** The header at `at`, if there may be one: its checksum is not checked yet. */
export function decodeRecordHeader(bytes: Uint8Array, at: number): RecordHeader | null {
  if (at + recordHeaderBytes > bytes.length) return null;
  if (readU32(bytes, at) !== recordMagic) return null;
  return {
    checksum: readU32(bytes, at + 4),
    length: readU32(bytes, at + 8),
    position: readU32(bytes, at + 12),
    previous: readU32(bytes, at + 16),
    synced: readU32(bytes, at + 20),
    group: readU32(bytes, at + 24),
    kind: readU32(bytes, at + 28),
  };
}

/** Whether the record whose header was read at `at` is whole and was written for this very place. */
export function isIntact(
  platform: Platform,
  seed: number,
  header: RecordHeader,
  bytes: Uint8Array,
  at: number,
): boolean {
  const end = at + recordHeaderBytes + header.length;
  return (
    end <= bytes.length && platform.checksum(bytes.subarray(at + checkedFrom, end), seed) === header.checksum
  );
}
