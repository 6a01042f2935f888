import { assert } from '@flotilla/platform';
import { limits } from './limits.ts';
import type { RpcError } from './rpc-error.ts';

/** Messages of one call that have arrived and wait for their reader, and how the call ended. */
export class MessageQueue {
  readonly #hold: () => void;
  readonly #release: () => void;
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #held = false;
  /** undefined: more may come; null: the sender has ended well. */
  #end: RpcError | null | undefined;
  #reader: Reader | null = null;

  /** `hold` asks the transport to stop delivering, `release` to go on. */
  constructor(hold: () => void, release: () => void) {
    this.#hold = hold;
    this.#release = release;
  }

  push(message: Uint8Array): void {
    if (this.#end !== undefined) return;
    const reader = this.#reader;
    if (reader !== null) {
      this.#reader = null;
      reader.resolve(message);
      return;
    }
    this.#messages.push(message);
    this.#bytes += message.length;
    const full = this.#bytes >= limits.queuedBytes || this.#messages.length >= limits.queuedMessages;
    if (full && !this.#held) {
      this.#held = true;
      this.#hold();
    }
  }

  /** The sender is done; what is queued is still read first. */
  end(error: RpcError | null): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    this.#settleReader();
  }

  /** The call is over at once; what is queued is dropped. */
  fail(error: RpcError): void {
    this.#messages = [];
    this.#bytes = 0;
    this.#end = error;
    this.#settleReader();
  }

  read(): Promise<Uint8Array | null> {
    assert(this.#reader === null, 'one read at a time');
    const message = this.#messages.shift();
    if (message === undefined) {
      if (this.#end === undefined)
        return new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
      return this.#end === null ? Promise.resolve(null) : Promise.reject(this.#end);
    }
    this.#bytes -= message.length;
    if (
      this.#held &&
      this.#bytes <= limits.queuedBytes / 2 &&
      this.#messages.length <= limits.queuedMessages / 2
    ) {
      this.#held = false;
      this.#release();
    }
    return Promise.resolve(message);
  }

  #settleReader(): void {
    const reader = this.#reader;
    const end = this.#end;
    if (reader === null || end === undefined) return;
    this.#reader = null;
    if (end === null) reader.resolve(null);
    else reader.reject(end);
  }
}

interface Reader {
  readonly resolve: (message: Uint8Array | null) => void;
  readonly reject: (error: RpcError) => void;
}
