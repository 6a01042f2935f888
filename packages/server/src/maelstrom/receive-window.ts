import { limits } from './limits.ts';
import type { Segment } from './send-window.ts';

/** The receiving side of a stream: puts segments in order that come late, twice, or not in their order. */
export class ReceiveWindow {
  #takenTo = 0;
  readonly #kept = new Map<number, Uint8Array | null>();

  /** Everything before this offset was taken, and need not be sent again. */
  get takenTo(): number {
    return this.#takenTo;
  }

  put({ at, bytes }: Segment): void {
    const isOld = at < this.#takenTo;
    const isBeyond = at - this.#takenTo > limits.windowBytes;
    if (!isOld && !isBeyond) this.#kept.set(at, bytes);
  }

  /** The segment that is next in order, if it has come. */
  take(): Segment | null {
    const bytes = this.#kept.get(this.#takenTo);
    if (bytes === undefined) return null;
    const segment = { at: this.#takenTo, bytes };
    this.#kept.delete(this.#takenTo);
    this.#takenTo += bytes?.length ?? 1;
    return segment;
  }
}
