import { assert } from '@flotilla/platform';

/**
 * The window of appends that were sent to one follower and not answered: a ring of (last index, payload bytes), in the
 * order of sending. Bounded in messages and in bytes.
 */
export class Inflights {
  readonly #maxMessages: number;
  /** 0: no bound. */
  readonly #maxBytes: number;
  readonly #indexes: number[] = [];
  readonly #sizes: number[] = [];
  #start = 0;
  #count = 0;
  #bytes = 0;

  constructor(maxMessages: number, maxBytes: number) {
    assert(maxMessages > 0, 'a window takes one message at least');
    this.#maxMessages = maxMessages;
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The last append may exceed the bound in bytes: one that is larger than the whole window must still be sendable. */
  get full(): boolean {
    return this.#count === this.#maxMessages || (this.#maxBytes !== 0 && this.#bytes >= this.#maxBytes);
  }

  add(lastIndex: number, sizeBytes: number): void {
    assert(!this.full, 'a full window takes no append');
    const at = (this.#start + this.#count) % this.#maxMessages;
    this.#indexes[at] = lastIndex;
    this.#sizes[at] = sizeBytes;
    this.#count += 1;
    this.#bytes += sizeBytes;
  }

  /** Forgets appends up to `index`: they were answered, by one answer for several perhaps. */
  freeTo(index: number): void {
    while (this.#count > 0 && (this.#indexes[this.#start] as number) <= index) {
      this.#bytes -= this.#sizes[this.#start] as number;
      this.#start = (this.#start + 1) % this.#maxMessages;
      this.#count -= 1;
    }
  }

  clear(): void {
    this.#start = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
