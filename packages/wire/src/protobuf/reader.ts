import { FlotillaError } from '@flotilla/platform';
import { limits } from '../limits.ts';

/**
 * Reads protobuf's wire format strictly: whatever is cut off, over-long or impossible throws a `FlotillaError` with
 * code `FLOTILLA_WIRE_MALFORMED`. Bytes fields are views into the input unless `copy` is set.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #copy: boolean;
  #position = 0;
  /** Where the innermost message that is being read ends. */
  #limit: number;
  #depth = 0;
  /** The two halves of the 64-bit varint that was read last. */
  #low = 0;
  #high = 0;

  constructor(bytes: Uint8Array, copy: boolean) {
    this.#bytes = bytes;
    this.#copy = copy;
    this.#limit = bytes.length;
  }

  more(): boolean {
    return this.#position < this.#limit;
  }

  /** Field number and wire type. */
  tag(): number {
    const bytes = this.#bytes;
    let position = this.#position;
    const first = bytes[position] as number;
    let tag = first & 0x7f;
    position += 1;
    if (first >= 0x80) {
      for (let shift = 7; ; shift += 7) {
        if (position >= this.#limit) throw this.#malformed('a tag is cut off');
        const byte = bytes[position] as number;
        position += 1;
        if (shift === 28 && byte > 0x0f) throw this.#malformed('a tag is longer than 32 bits');
        tag |= (byte & 0x7f) << shift;
        if (byte < 0x80) break;
      }
    }
    if (tag >>> 3 === 0) throw this.#malformed('field number 0');
    this.#position = position;
    return tag >>> 0;
  }

  /** Steps over the value of a field that this version does not know. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.#varint();
        return;
      case 1:
        this.#advance(8);
        return;
      case 2:
        this.#advance(this.#length());
        return;
      case 5:
        this.#advance(4);
        return;
      default:
        throw this.#malformed(`wire type ${tag & 7} of field ${tag >>> 3}`);
    }
  }

  /** Starts the message whose length comes next; hand the answer to {@link leave}. */
  enter(): number {
    if (this.#depth >= limits.messageDepth) throw this.#malformed('messages are nested too deeply');
    const length = this.#length();
    const outer = this.#limit;
    this.#limit = this.#position + length;
    this.#depth += 1;
    return outer;
  }

  leave(outer: number): void {
    this.#limit = outer;
    this.#depth -= 1;
  }

  /** Starts a packed repeated field; hand the answer to {@link endPacked}. */
  beginPacked(): number {
    const length = this.#length();
    const outer = this.#limit;
    this.#limit = this.#position + length;
    return outer;
  }

  endPacked(outer: number): void {
    this.#limit = outer;
  }

  bytes(): Uint8Array {
    const length = this.#length();
    const start = this.#position;
    this.#position = start + length;
    // Always a plain Uint8Array, also when the input is a Buffer: users see one hidden class and one `slice`.
    const view = new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + start, length);
    return this.#copy ? view.slice() : view;
  }

  string(): string {
    const length = this.#length();
    const start = this.#position;
    this.#position = start + length;
    return decodeUtf8(this.#bytes, start, start + length) ?? this.#throwInvalidUtf8();
  }

  bool(): boolean {
    this.#varint();
    return (this.#low | this.#high) !== 0;
  }

  /** Also enums. Longer varints lose their upper bits, as protobuf defines. */
  int32(): number {
    this.#varint();
    return this.#low | 0;
  }

  uint32(): number {
    this.#varint();
    return this.#low;
  }

  /** Beyond ±(2^53 − 1) clamped: no revision or count that is real is so large, so every comparison stays true. */
  int64(): number {
    this.#varint();
    const value = (this.#high | 0) * 0x1_0000_0000 + this.#low;
    if (value > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
    if (value < Number.MIN_SAFE_INTEGER) return Number.MIN_SAFE_INTEGER;
    return value;
  }

  int64Exact(): bigint {
    this.#varint();
    if (this.#high === 0) return BigInt(this.#low);
    halves.setUint32(0, this.#low, true);
    halves.setUint32(4, this.#high, true);
    return halves.getBigInt64(0, true);
  }

  uint64(): bigint {
    this.#varint();
    if (this.#high === 0) return BigInt(this.#low);
    halves.setUint32(0, this.#low, true);
    halves.setUint32(4, this.#high, true);
    return halves.getBigUint64(0, true);
  }

  #length(): number {
    this.#varint();
    if (this.#high !== 0 || this.#low > this.#limit - this.#position) {
      throw this.#malformed('a length reaches beyond the end');
    }
    return this.#low;
  }

  #advance(count: number): void {
    if (count > this.#limit - this.#position) throw this.#malformed('a field is cut off');
    this.#position += count;
  }

  #varint(): void {
    const position = this.#position;
    const byte = this.#bytes[position] as number;
    if (position < this.#limit && byte < 0x80) {
      this.#low = byte;
      this.#high = 0;
      this.#position = position + 1;
      return;
    }
    this.#longVarint();
  }

  #longVarint(): void {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#position >= this.#limit) throw this.#malformed('a varint is cut off');
      const byte = bytes[this.#position] as number;
      this.#position += 1;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) throw this.#malformed('a varint is longer than 64 bits');
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        return;
      }
    }
    throw this.#malformed('a varint is longer than 64 bits');
  }

  #throwInvalidUtf8(): never {
    throw this.#malformed('a string is not UTF-8');
  }

  #malformed(what: string): FlotillaError {
    return new FlotillaError(
      'FLOTILLA_WIRE_MALFORMED',
      `malformed protobuf message: ${what} (at byte ${this.#position} of ${this.#bytes.length})`,
    );
  }
}

const halves = new DataView(new ArrayBuffer(8));
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Below this many bytes a loop beats the call into the decoder. */
const SHORT_STRING_BYTES = 24;

/** null: not UTF-8. */
function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  if (end - start <= SHORT_STRING_BYTES) {
    let text = '';
    let position = start;
    for (; position < end; position += 1) {
      const byte = bytes[position] as number;
      if (byte >= 0x80) break;
      text += String.fromCharCode(byte);
    }
    if (position === end) return text;
  }
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch {
    return null;
  }
}
