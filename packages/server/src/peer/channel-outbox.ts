import type { Connection, Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';
import { channelHeaderBytes, encodeFrame, type FrameKind, streamBytes, u32 } from './channel-frame.ts';

interface Outgoing {
  readonly kind: FrameKind;
  readonly stream: number;
  readonly bytes: Uint8Array;
  sent: number;
}

/**
 * What is on its way out of one side of a channel. Long ones leave in frames, in turn with all others, and no faster than
 * the stream takes them; what one turn of the event loop has to say leaves in one write.
 */
export class ChannelOutbox {
  /** What waits here, in bytes. */
  bytes = 0;
  readonly #platform: Platform;
  readonly #connection: Connection;
  #queue: Outgoing[] = [];
  #blocked = false;
  #scheduled = false;
  #closed = false;

  constructor(platform: Platform, connection: Connection) {
    this.#platform = platform;
    this.#connection = connection;
  }

  push(kind: FrameKind, stream: number, bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#queue.push({ kind, stream, bytes, sent: 0 });
    this.bytes += bytes.length;
    this.#soon();
  }

  /** Nobody wants it any more: what has not left does not leave. True: nothing of it has left. */
  withdraw(stream: number): boolean {
    const found = this.#queue.find((one) => one.stream === stream);
    if (found === undefined) return false;
    // The other side waits for the end of what it has the beginning of.
    if (found.sent > 0) return false;
    this.#queue = this.#queue.filter((one) => one !== found);
    this.bytes -= found.bytes.length;
    return true;
  }

  drained(): void {
    this.#blocked = false;
    this.#soon();
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
    this.bytes = 0;
  }

  #soon(): void {
    if (this.#scheduled || this.#blocked || this.#closed || this.#queue.length === 0) return;
    this.#scheduled = true;
    this.#platform.defer(() => {
      this.#scheduled = false;
      while (!this.#blocked && !this.#closed && this.#queue.length > 0) this.#write();
    });
  }

  /** One write of about a chunk. */
  #write(): void {
    const frames: Uint8Array[] = [];
    let length = 0;
    while (length < limits.channelChunkBytes && this.#queue.length > 0) {
      const frame = this.#nextFrame();
      frames.push(frame);
      length += frame.length;
    }
    this.#blocked = !this.#connection.write(frames.length === 1 ? (frames[0] as Uint8Array) : joined(frames));
  }

  #nextFrame(): Uint8Array {
    const next = this.#queue.shift() as Outgoing;
    const part = next.bytes.subarray(next.sent, next.sent + limits.channelChunkBytes);
    next.sent += part.length;
    this.bytes -= part.length;
    const more = next.sent < next.bytes.length;
    if (more) this.#queue.push(next);
    return encodeFrame(this.#platform, next.kind, [u32(next.stream), part], more);
  }
}

/** The longest frame that a side makes. */
export const longestFrameBytes: number = limits.channelChunkBytes + channelHeaderBytes + streamBytes;

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
