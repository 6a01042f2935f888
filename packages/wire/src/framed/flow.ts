import type { Connection } from '@flotilla/platform';
import { limits } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { encodeCredit, encodeFrame, FrameKind } from './frames.ts';

/**
 * The messages that one side sends in one call, held back to what the other side is ready to take. One message may
 * overdraw the credit, so that a message larger than all of it still gets through.
 */
export class Outflow {
  /** null: there is no connection yet. */
  #link: Link | null = null;
  #credit: number = limits.streamWindowBytes;
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Sent when the queue is empty: the last frame of this side. */
  #last: { readonly kind: number; readonly payload: Uint8Array } | null = null;
  #waiting: (() => void)[] = [];

  attach(link: Link): void {
    this.#link = link;
    this.flush();
  }

  get bufferedBytes(): number {
    return this.#queuedBytes;
  }

  get isFull(): boolean {
    if (this.#link === null) return this.#queuedBytes >= limits.queuedBytes;
    return this.#queuedBytes > 0 || this.#link.connection.bufferedBytes > limits.connectionWindowBytes;
  }

  write(message: Uint8Array): boolean {
    this.#queue.push(message);
    this.#queuedBytes += message.length;
    this.flush();
    return !this.isFull;
  }

  finish(kind: number, payload: Uint8Array): void {
    this.#last = { kind, payload };
    this.flush();
  }

  addCredit(bytes: number): void {
    this.#credit += bytes;
    this.flush();
  }

  /** Sends what may be sent; called again when there is credit or room in the connection. */
  flush(): void {
    if (this.#link === null) return;
    const { connection, call } = this.#link;
    while (this.#queue.length > 0 && this.#credit > 0) {
      if (connection.bufferedBytes > limits.connectionWindowBytes) return;
      const message = this.#queue.shift() as Uint8Array;
      this.#queuedBytes -= message.length;
      this.#credit -= message.length;
      connection.write(encodeFrame(call, FrameKind.message, message));
    }
    if (this.#queue.length > 0) return;
    if (this.#last !== null) connection.write(encodeFrame(call, this.#last.kind, this.#last.payload));
    this.#last = null;
    this.#wake();
  }

  /** Drops what was not sent. */
  abandon(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#wake();
  }

  /** Calls back once when more may be written, or the flow is abandoned. */
  onRoom(callback: () => void): void {
    this.#waiting.push(callback);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const callback of waiting) callback();
  }
}

/** The messages that one side receives in one call; the other side gets credit back as they are read. */
export class Inflow {
  readonly queue: MessageQueue;
  #link: Link | null = null;
  #held = false;
  /** Received, and not yet credited to the sender. */
  #owed = 0;

  constructor() {
    this.queue = new MessageQueue(
      () => {
        this.#held = true;
      },
      () => {
        this.#held = false;
        this.#repay();
      },
    );
  }

  attach(link: Link): void {
    this.#link = link;
  }

  receive(frame: Uint8Array, message: Uint8Array): void {
    this.queue.push(message);
    this.#owed += frame.length;
    if (!this.#held && this.#owed >= limits.streamWindowBytes / 2) this.#repay();
  }

  #repay(): void {
    if (this.#owed === 0 || this.#link === null) return;
    this.#link.connection.write(encodeCredit(this.#link.call, this.#owed));
    this.#owed = 0;
  }
}

/** A call's place: its connection and its number there. */
export interface Link {
  readonly connection: Connection;
  readonly call: number;
}
