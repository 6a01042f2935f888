import { limits } from './limits.ts';

/** A piece of a stream, by the offset of its first byte. The end of the stream counts as one byte. */
export interface Segment {
  readonly at: number;
  /** Null: here the stream ends. */
  readonly bytes: Uint8Array | null;
}

/** The sending side of a stream: what waits, what is on its way, and what has arrived. */
export class SendWindow {
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #inFlight: Segment[] = [];
  #sentTo = 0;
  #arrivedTo = 0;
  /** The end was asked for; it follows what waits. */
  #ends = false;
  #endSent = false;

  /** Not sent yet. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Something was sent and not acknowledged. */
  get isAwaiting(): boolean {
    return this.#inFlight.length > 0;
  }

  /** The other side has everything, and the end. */
  get isOver(): boolean {
    return this.#endSent && this.#inFlight.length === 0;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  end(): void {
    this.#ends = true;
  }

  /** The next segments that the window has room for; from now on they are on their way. */
  take(): readonly Segment[] {
    const taken: Segment[] = [];
    while (this.#waitingBytes > 0 && this.#sentTo - this.#arrivedTo < limits.windowBytes) {
      const roomBytes = limits.windowBytes - (this.#sentTo - this.#arrivedTo);
      const bytes = this.#cut(Math.min(limits.segmentBytes, roomBytes));
      taken.push({ at: this.#sentTo, bytes });
      this.#sentTo += bytes.length;
    }
    if (this.#ends && !this.#endSent && this.#waitingBytes === 0) {
      this.#endSent = true;
      taken.push({ at: this.#sentTo, bytes: null });
      this.#sentTo += 1;
    }
    this.#inFlight.push(...taken);
    return taken;
  }

  /** The other side has everything before this offset. Whether that is news. */
  arrived(upTo: number): boolean {
    if (upTo <= this.#arrivedTo || upTo > this.#sentTo) return false;
    this.#arrivedTo = upTo;
    this.#inFlight = this.#inFlight.filter(({ at, bytes }) => at + (bytes?.length ?? 1) > upTo);
    return true;
  }

  /** The first ones that may be lost. */
  unacknowledged(): readonly Segment[] {
    return this.#inFlight.slice(0, limits.resentSegments);
  }

  /** Up to `length` bytes of what waits, in one piece. */
  #cut(length: number): Uint8Array {
    const size = Math.min(length, this.#waitingBytes);
    const cut = new Uint8Array(size);
    let filled = 0;
    let used = 0;
    while (filled < size) {
      const piece = this.#waiting[used] as Uint8Array;
      const part = piece.subarray(0, size - filled);
      cut.set(part, filled);
      filled += part.length;
      if (part.length === piece.length) used += 1;
      else this.#waiting[used] = piece.subarray(part.length);
    }
    this.#waiting.splice(0, used);
    this.#waitingBytes -= size;
    return cut;
  }
}
