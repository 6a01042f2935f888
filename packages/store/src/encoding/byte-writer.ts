/**
 * Builds records in slabs: a record is a view of its slab, so that a thousand small records cost one allocation.
 * Integers are LEB128 up to 2^53 or big-endian, whose order as bytes is their order as numbers.
 *
 * @example
 * const writer = new ByteWriter();
 * writer.varint(7);
 * writer.bytes(value);
 * const record = writer.take();
 */
export class ByteWriter {
  readonly #slabBytes: number;
  #slab: Uint8Array;
  #start = 0;
  #position = 0;

  constructor(slabBytes = 64 * 1024) {
    this.#slabBytes = slabBytes;
    this.#slab = new Uint8Array(slabBytes);
  }

  /** Bytes of the record in progress. */
  get length(): number {
    return this.#position - this.#start;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#slab[this.#position++] = value;
  }

  /** A safe integer from 0. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.#slab[this.#position++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.#slab[this.#position++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#slab[this.#position++] = rest;
  }

  uint32(value: number): void {
    this.#reserve(4);
    writeUint32(this.#slab, this.#position, value);
    this.#position += 4;
  }

  /** A safe integer from 0, in eight bytes. */
  uint64(value: number): void {
    this.uint32(Math.floor(value / 0x1_0000_0000));
    this.uint32(value % 0x1_0000_0000);
  }

  /** Any 64-bit integer. */
  bigint64(value: bigint): void {
    this.uint32(Number((value >> 32n) & 0xffff_ffffn));
    this.uint32(Number(value & 0xffff_ffffn));
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#slab.set(value, this.#position);
    this.#position += value.length;
  }

  lengthPrefixed(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  /** The record, and the start of the next one. Nothing writes to these bytes again. */
  take(): Uint8Array {
    const record = this.#slab.subarray(this.#start, this.#position);
    this.#start = this.#position;
    return record;
  }

  #reserve(bytes: number): void {
    if (this.#position + bytes <= this.#slab.length) return;
    const begun = this.#slab.subarray(this.#start, this.#position);
    this.#slab = new Uint8Array(Math.max(this.#slabBytes, 2 * (begun.length + bytes)));
    this.#slab.set(begun);
    this.#start = 0;
    this.#position = begun.length;
  }
}

export function writeUint32(target: Uint8Array, position: number, value: number): void {
  target[position] = value >>> 24;
  target[position + 1] = value >>> 16;
  target[position + 2] = value >>> 8;
  target[position + 3] = value;
}
