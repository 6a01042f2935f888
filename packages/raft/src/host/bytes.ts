import { FlotillaError } from '@flotilla/platform';

/**
 * Appends fixed-layout, big-endian fields to a buffer that grows and is used again after {@link ByteWriter.take}.
 * Integers beyond 32 bits are safe integers in eight bytes, so that other languages can read the layout.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 16 * 1024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length] = value;
    this.#length += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** A safe integer from 0. */
  u53(value: number): void {
    this.#reserve(8);
    this.#view.setUint32(this.#length, Math.floor(value / 0x1_0000_0000));
    this.#view.setUint32(this.#length + 4, value >>> 0);
    this.#length += 8;
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#length, value);
    this.#length += 8;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes after their length. */
  blob(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** An entry of an append: u53, u8 and blob, with one look at the room that is left. */
  entry(term: number, kind: number, payload: Uint8Array): void {
    this.#reserve(13 + payload.length);
    const at = this.#length;
    const view = this.#view;
    view.setUint32(at, Math.floor(term / 0x1_0000_0000));
    view.setUint32(at + 4, term >>> 0);
    view.setUint8(at + 8, kind);
    view.setUint32(at + 9, payload.length);
    this.#bytes.set(payload, at + 13);
    this.#length = at + 13 + payload.length;
  }

  patchU32(position: number, value: number): void {
    this.#view.setUint32(position, value);
  }

  /** A view of what was written since `from`; valid until the next write. */
  peek(from: number): Uint8Array {
    return this.#bytes.subarray(from, this.#length);
  }

  /** Forgets everything after `length`. */
  rewind(length: number): void {
    this.#length = length;
  }

  /** A copy of everything written, and an empty writer. A copy, because sockets keep what they are given. */
  take(): Uint8Array {
    const result = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    // One huge message must not pin its size for ever.
    if (this.#bytes.length > maxIdleBytes) {
      this.#bytes = new Uint8Array(maxIdleBytes);
      this.#view = new DataView(this.#bytes.buffer);
    }
    return result;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

const maxIdleBytes = 1024 * 1024;

/** Reads what {@link ByteWriter} wrote. Whatever does not fit throws `FLOTILLA_PEER_MALFORMED`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  u8(): number {
    const at = this.#advance(1);
    return this.#view.getUint8(at);
  }

  u16(): number {
    const at = this.#advance(2);
    return this.#view.getUint16(at);
  }

  u32(): number {
    const at = this.#advance(4);
    return this.#view.getUint32(at);
  }

  u53(): number {
    const at = this.#advance(8);
    const high = this.#view.getUint32(at);
    if (high > 0x1f_ffff) throw malformed('an integer beyond 2^53');
    return high * 0x1_0000_0000 + this.#view.getUint32(at + 4);
  }

  u64(): bigint {
    const at = this.#advance(8);
    return this.#view.getBigUint64(at);
  }

  bool(): boolean {
    const value = this.u8();
    if (value > 1) throw malformed('a flag that is neither 0 nor 1');
    return value === 1;
  }

  /** A view, not a copy: it lives as long as the bytes that were given. */
  raw(length: number): Uint8Array {
    const at = this.#advance(length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length);
  }

  blob(): Uint8Array {
    return this.raw(this.u32());
  }

  /** How many items follow: refused when they could not fit, so that a bad count cannot allocate. */
  count(minItemBytes: number): number {
    const count = this.u32();
    if (count * minItemBytes > this.remaining) throw malformed('a count beyond the end');
    return count;
  }

  /** Everything must have been read. */
  end(): void {
    if (this.remaining !== 0) throw malformed('bytes after the end');
  }

  #advance(count: number): number {
    const at = this.#position;
    if (at + count > this.#bytes.length) throw malformed('a field beyond the end');
    this.#position = at + count;
    return at;
  }
}

/** `bytes` from `start` on, not copied. Twice as fast as `subarray`, which looks for the species of its array first. */
export function viewOf(bytes: Uint8Array, start: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, bytes.length - start);
}

export function malformed(what: string): FlotillaError {
  return new FlotillaError('FLOTILLA_PEER_MALFORMED', `malformed message from a peer: ${what}`);
}
