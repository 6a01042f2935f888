import { assert } from '@flotilla/platform';

/** Reads what {@link ByteWriter} wrote. Reading beyond the end is an assertion failure: the record is damaged. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.#position = position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  byte(): number {
    this.#need(1);
    return this.#bytes[this.#position++] as number;
  }

  varint(): number {
    let result = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    assert(Number.isSafeInteger(result), 'a stored integer is safe');
    return result;
  }

  uint32(): number {
    this.#need(4);
    const bytes = this.#bytes;
    const at = this.#position;
    this.#position += 4;
    return (
      (bytes[at] as number) * 0x100_0000 +
      (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
    );
  }

  uint64(): number {
    const high = this.uint32();
    const result = high * 0x1_0000_0000 + this.uint32();
    assert(Number.isSafeInteger(result), 'a stored integer is safe');
    return result;
  }

  bigint64(): bigint {
    const high = BigInt(this.uint32());
    return BigInt.asIntN(64, (high << 32n) | BigInt(this.uint32()));
  }

  /** A plain view, also of a Buffer. */
  bytes(length: number): Uint8Array {
    this.#need(length);
    const view = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + this.#position, length);
    this.#position += length;
    return view;
  }

  lengthPrefixed(): Uint8Array {
    return this.bytes(this.varint());
  }

  rest(): Uint8Array {
    return this.bytes(this.remaining);
  }

  #need(bytes: number): void {
    assert(this.#position + bytes <= this.#bytes.length, 'a stored record is as long as it says');
  }
}
