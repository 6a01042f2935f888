import { assert } from '@flotilla/platform';

const twoTo32 = 0x1_0000_0000;

/** A buffer that numbers and bytes are appended to, used again for every batch. */
export class ByteWriter {
  bytes: Uint8Array;
  view: DataView;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `more` bytes. */
  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  u8(value: number): void {
    this.bytes[this.length] = value;
    this.length += 1;
  }

  u32(value: number): void {
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  /** A safe integer as an unsigned 64-bit number. */
  u64(value: number): void {
    // (`>>> 0` is the remainder by 2^32, without a division of floating-point numbers.)
    this.view.setUint32(this.length, value >>> 0, true);
    this.view.setUint32(this.length + 4, Math.floor(value / twoTo32), true);
    this.length += 8;
  }

  append(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  zeros(count: number): void {
    this.bytes.fill(0, this.length, this.length + count);
    this.length += count;
  }
}

/** Reads what {@link ByteWriter} wrote. Running over the end is an assertion. */
export class ByteReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.bytes = bytes;
    this.position = position;
    this.#end = end;
  }

  u8(): number {
    return this.bytes[this.#advance(1)] ?? 0;
  }

  u32(): number {
    return readU32(this.bytes, this.#advance(4));
  }

  u64(): number {
    const at = this.#advance(8);
    const value = readU32(this.bytes, at + 4) * twoTo32 + readU32(this.bytes, at);
    assert(Number.isSafeInteger(value), 'a 64-bit number in the log must be a safe integer');
    return value;
  }

  /** Where the next `length` bytes are. */
  skip(length: number): number {
    return this.#advance(length);
  }

  get done(): boolean {
    return this.position === this.#end;
  }

  #advance(length: number): number {
    const at = this.position;
    assert(length <= this.#end - at, 'a record of the log must not end within a field');
    this.position = at + length;
    return at;
  }
}

/** Without a `DataView`, which would have to be made for each array that is read from. The caller knows the bounds. */
export function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at + 3] ?? 0) << 24) | ((bytes[at + 2] ?? 0) << 16);
  return (high | ((bytes[at + 1] ?? 0) << 8) | (bytes[at] ?? 0)) >>> 0;
}
