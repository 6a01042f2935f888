import type { Platform } from '@flotilla/platform';
import {
  recordAlignment,
  recordBytes,
  recordHeaderBytes,
  recordMagic,
  firstRecordPosition,
} from './format.ts';
import { decodeRecordHeader, isIntact, type RecordHeader } from './record-header.ts';
import type { Segment } from './segment.ts';

/** How far the chain of whole records of a segment goes. */
export interface Chain {
  /** The place behind the last record of the chain. */
  readonly end: number;
  /** The checksum of the last record of the chain: what the next one must name. */
  readonly previous: number;
  readonly kindOfLast: number;
  /** A whole record lies at `end`, but follows another one than the chain's last. */
  readonly broken: boolean;
}

/** What lies behind the chain of a segment. */
export interface Remainder {
  /** About where the first byte is that is not zero; null: there is none. */
  readonly start: number | null;
  /** Behind the last byte that is not zero. */
  readonly end: number;
  /** A whole record that was written after everything up to the end of the chain had been synced. */
  readonly witness: number | null;
}

type Visit = (header: RecordHeader, bytes: Uint8Array, at: number, position: number) => void;

/**
 * Walks the records from the segment's start as long as each is whole, was written for this place, and follows the
 * one before. `previous` null: the segment before is gone, so the first record's predecessor cannot be checked.
 */
export async function walkChain(
  platform: Platform,
  segment: Segment,
  chunkBytes: number,
  previous: number | null,
  isLast: (kind: number) => boolean,
  visit: Visit,
): Promise<Chain> {
  const window = new Window(segment, chunkBytes);
  let end = firstRecordPosition;
  let kindOfLast = 0;
  let broken = false;
  for (;;) {
    if (!window.has(end, recordHeaderBytes)) await window.load(end, recordHeaderBytes);
    let header = decodeRecordHeader(window.bytes, end - window.position);
    if (header === null) break;
    const size = recordBytes(header.length);
    if (header.position !== end || size > segment.sizeBytes - end) break;
    if (!window.has(end, size)) {
      await window.load(end, size);
      header = decodeRecordHeader(window.bytes, end - window.position) ?? header;
    }
    const at = end - window.position;
    if (!isIntact(platform, segment.checksum, header, window.bytes, at)) break;
    broken = previous !== null && header.previous !== previous;
    if (broken) break;
    visit(header, window.bytes, at, end);
    previous = header.checksum;
    kindOfLast = header.kind;
    end += size;
    if (isLast(header.kind)) break;
  }
  return { end, previous: previous ?? segment.checksum, kindOfLast, broken };
}

/** Looks at everything behind the chain: is it zeros, the leftovers of a torn batch, or proof of damage? */
export async function inspectRemainder(
  platform: Platform,
  segment: Segment,
  chunkBytes: number,
  chainEnd: number,
): Promise<Remainder> {
  const window = new Window(segment, chunkBytes);
  let start: number | null = null;
  let end = chainEnd;
  for (let position = chainEnd; position < segment.sizeBytes; position += recordAlignment) {
    if (!window.has(position, recordAlignment)) await window.load(position, recordAlignment);
    const zeros = window.zeros(position - window.position);
    if (zeros > 0) {
      position += zeros - recordAlignment;
      continue;
    }
    const at = position - window.position;
    const word = window.word(at);
    if (word === 0 && window.word(at + 4) === 0) continue;
    start ??= position;
    end = position + recordAlignment;
    if (word !== recordMagic) continue;
    const header = await window.recordAt(position);
    if (header === null || header.synced <= chainEnd) continue;
    if (isIntact(platform, segment.checksum, header, window.bytes, position - window.position)) {
      return { start, end, witness: position };
    }
  }
  return { start, end, witness: null };
}

/** A piece of a segment in memory: at least a chunk, or one whole record. */
class Window {
  readonly #segment: Segment;
  readonly #chunkBytes: number;
  #view: DataView = new DataView(new ArrayBuffer(0));
  bytes: Uint8Array = new Uint8Array(0);
  position = 0;

  constructor(segment: Segment, chunkBytes: number) {
    this.#segment = segment;
    this.#chunkBytes = chunkBytes;
  }

  has(position: number, length: number): boolean {
    return position >= this.position && position + length <= this.position + this.bytes.length;
  }

  async load(position: number, length: number): Promise<void> {
    const wanted = Math.min(Math.max(length, this.#chunkBytes), this.#segment.sizeBytes - position);
    this.bytes = await this.#segment.read(position, wanted);
    this.position = position;
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
  }

  /** How many zero bytes lie from `at` on, in whole units of {@link recordAlignment}. */
  zeros(at: number): number {
    // Preallocated space is most of a segment: four bytes at a time where the memory allows it.
    const offset = this.bytes.byteOffset + at;
    const count = (this.bytes.length - at) & -recordAlignment;
    if (offset % 4 !== 0) {
      for (let i = at; i < at + count; i += 1) {
        if (this.bytes[i] !== 0) return (i - at) & -recordAlignment;
      }
      return count;
    }
    const words = new Int32Array(this.bytes.buffer, offset, count / 4);
    for (let i = 0; i < words.length; i += 1) {
      if (words[i] !== 0) return (i * 4) & -recordAlignment;
    }
    return count;
  }

  /** Zero beyond the end. */
  word(at: number): number {
    return at + 4 <= this.bytes.length ? this.#view.getUint32(at, true) : 0;
  }

  /** The header at `position` with the whole record in the window, or null when none can be there. */
  async recordAt(position: number): Promise<RecordHeader | null> {
    if (!this.has(position, recordHeaderBytes)) await this.load(position, recordHeaderBytes);
    const header = decodeRecordHeader(this.bytes, position - this.position);
    if (header === null || header.position !== position) return null;
    const size = recordBytes(header.length);
    if (size > this.#segment.sizeBytes - position) return null;
    if (!this.has(position, size)) await this.load(position, size);
    return header;
  }
}
