/** Bytes to send, put together so that many small frames leave in one write. Memory that was handed out is not reused. */
export class Output {
  #slab = new Uint8Array(SLAB_BYTES);
  #start = 0;
  #end = 0;

  get isEmpty(): boolean {
    return this.#start === this.#end;
  }

  frameHeader(length: number, type: number, flags: number, stream: number): void {
    this.#reserve(9);
    const slab = this.#slab;
    const end = this.#end;
    slab[end] = length >>> 16;
    slab[end + 1] = (length >>> 8) & 0xff;
    slab[end + 2] = length & 0xff;
    slab[end + 3] = type;
    slab[end + 4] = flags;
    this.#end = end + 5;
    this.uint32(stream);
  }

  uint16(value: number): void {
    this.#reserve(2);
    this.#slab[this.#end++] = value >>> 8;
    this.#slab[this.#end++] = value & 0xff;
  }

  uint32(value: number): void {
    this.#reserve(4);
    const slab = this.#slab;
    const end = this.#end;
    slab[end] = value >>> 24;
    slab[end + 1] = (value >>> 16) & 0xff;
    slab[end + 2] = (value >>> 8) & 0xff;
    slab[end + 3] = value & 0xff;
    this.#end = end + 4;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#slab.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Everything since the last call. */
  take(): Uint8Array {
    const bytes = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  #reserve(count: number): void {
    if (this.#end + count <= this.#slab.length) return;
    const unsent = this.#slab.subarray(this.#start, this.#end);
    this.#slab = new Uint8Array(Math.max(SLAB_BYTES, 2 * (unsent.length + count)));
    this.#slab.set(unsent);
    this.#start = 0;
    this.#end = unsent.length;
  }
}

const SLAB_BYTES = 64 * 1024;
