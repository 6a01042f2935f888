import { assert } from '@flotilla/platform';
import { limits } from '../limits.ts';

/**
 * Writes protobuf's wire format from the end towards the start: the length of a nested message is known when its
 * content has been written, so one pass does without computing sizes first. Callers write fields in reverse, and of
 * each field the value first, then its tag.
 *
 * Finished messages are views into a slab that is never written again; a slab is shared by the messages that fit.
 */
export class Writer {
  #slab = new Uint8Array(limits.encodeSlabBytes);
  /** First byte of what has been written. */
  #start = limits.encodeSlabBytes;
  /** End of the message that is being written. */
  #end = limits.encodeSlabBytes;

  /** Forgets what was written since the last {@link finish}. */
  begin(): void {
    this.#start = this.#end;
  }

  finish(): Uint8Array {
    const message = new Uint8Array(this.#slab.buffer, this.#start, this.#end - this.#start);
    this.#end = this.#start;
    return message;
  }

  /** How many bytes have been written: the difference of two answers is a length. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** A tag or a length. */
  varint32(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#start -= 1;
      this.#slab[this.#start] = value;
      return;
    }
    const size = value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
    this.#reserve(size);
    let position = this.#start - size;
    this.#start = position;
    const slab = this.#slab;
    for (let rest = value; ; rest >>>= 7) {
      if (rest >>> 0 < 0x80) {
        slab[position] = rest;
        return;
      }
      slab[position] = (rest & 0x7f) | 0x80;
      position += 1;
    }
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#start -= value.length;
    this.#slab.set(value, this.#start);
    this.varint32(value.length);
  }

  string(value: string): void {
    const most = value.length * 3;
    this.#reserve(most);
    if (!this.#ascii(value)) {
      // Written forwards into the reserved room, then moved to where it belongs.
      const room = this.#slab.subarray(this.#start - most, this.#start);
      const { written } = utf8.encodeInto(value, room);
      room.copyWithin(most - written, 0, written);
      this.#start -= written;
      this.varint32(written);
    }
  }

  bool(value: boolean): void {
    this.varint32(value ? 1 : 0);
  }

  /** Also enums. */
  int32(value: number): void {
    assert(value === (value | 0), () => `${value} must be a 32-bit integer`);
    if (value >= 0) this.varint32(value);
    else this.#varint64(value >>> 0, 0xffff_ffff);
  }

  uint32(value: number): void {
    assert(value === value >>> 0, () => `${value} must be an unsigned 32-bit integer`);
    this.varint32(value);
  }

  int64(value: number): void {
    assert(Number.isSafeInteger(value), () => `${value} must be a safe integer`);
    if (value >= 0 && value <= 0xffff_ffff) this.varint32(value);
    else this.#varint64(value >>> 0, Math.floor(value / 0x1_0000_0000) >>> 0);
  }

  int64Exact(value: bigint): void {
    assert(BigInt.asIntN(64, value) === value, () => `${value} must fit 64 bits`);
    halves.setBigInt64(0, value, true);
    this.#varint64(halves.getUint32(0, true), halves.getUint32(4, true));
  }

  uint64(value: bigint): void {
    assert(BigInt.asUintN(64, value) === value, () => `${value} must fit 64 bits, unsigned`);
    halves.setBigUint64(0, value, true);
    this.#varint64(halves.getUint32(0, true), halves.getUint32(4, true));
  }

  /** gRPC's message prefix: a flag for compression, and the length of what follows. */
  framePrefix(): void {
    const length = this.size;
    this.#reserve(5);
    const start = this.#start - 5;
    const slab = this.#slab;
    slab[start] = 0;
    slab[start + 1] = length >>> 24;
    slab[start + 2] = (length >>> 16) & 0xff;
    slab[start + 3] = (length >>> 8) & 0xff;
    slab[start + 4] = length & 0xff;
    this.#start = start;
  }

  #ascii(value: string): boolean {
    const length = value.length;
    const slab = this.#slab;
    const start = this.#start - length;
    for (let index = 0; index < length; index += 1) {
      const code = value.charCodeAt(index);
      if (code >= 0x80) return false;
      slab[start + index] = code;
    }
    this.#start = start;
    this.varint32(length);
    return true;
  }

  #varint64(low: number, high: number): void {
    if (high === 0) {
      this.varint32(low);
      return;
    }
    this.#reserve(10);
    // Of 35 bits and more: the groups from the sixth on come from the high half.
    const top = high >>> 3;
    const size = 5 + (top < 0x80 ? 1 : top < 0x4000 ? 2 : top < 0x20_0000 ? 3 : top < 0x1000_0000 ? 4 : 5);
    const slab = this.#slab;
    const fits35Bits = top === 0;
    const start = this.#start - (fits35Bits ? 5 : size);
    let rest = low;
    for (let index = 0; index < 4; index += 1) {
      slab[start + index] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    const fifth = rest | ((high & 7) << 4);
    slab[start + 4] = fits35Bits ? fifth : fifth | 0x80;
    if (!fits35Bits) {
      let position = start + 5;
      let group = top;
      while (group >= 0x80) {
        slab[position] = (group & 0x7f) | 0x80;
        position += 1;
        group >>>= 7;
      }
      slab[position] = group;
    }
    this.#start = start;
  }

  /** Makes room for `count` bytes before what has been written; moves the unfinished message to a new slab if needed. */
  #reserve(count: number): void {
    if (count <= this.#start) return;
    const written = this.#end - this.#start;
    const size = Math.max(limits.encodeSlabBytes, 2 * (written + count));
    const slab = new Uint8Array(size);
    slab.set(this.#slab.subarray(this.#start, this.#end), size - written);
    this.#slab = slab;
    this.#start = size - written;
    this.#end = size;
  }
}

const halves = new DataView(new ArrayBuffer(8));
const utf8 = new TextEncoder();
