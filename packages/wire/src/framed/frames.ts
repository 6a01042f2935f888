import { FlotillaError } from '@flotilla/platform';
import { limits } from '../limits.ts';

/**
 * The frames of the plain transport. Before each: four bytes of length, of what follows, four of the call's number
 * (0: the connection itself) and one of the kind, all big-endian.
 */
export const FrameKind = {
  /** Client: starts a call. JSON: {@link OpenHead}. */
  open: 1,
  /** Either: a message, as gRPC frames it. */
  message: 2,
  /** Client: the last message was sent. */
  end: 3,
  /** Client: the answer is not wanted any more. */
  cancel: 4,
  /** Server: the call has ended. One byte of status, the message in UTF-8. */
  status: 5,
  /** Either: four bytes, how many more bytes of messages the other side may send in this call. */
  credit: 6,
  /** Server, call 0: send no new calls here. */
  goAway: 7,
} as const;

export interface OpenHead {
  readonly path: string;
  readonly timeoutMs: number | null;
  readonly metadata: Readonly<Record<string, string>>;
}

const HEAD_BYTES = 9;

export function encodeFrame(call: number, kind: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD_BYTES + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, 5 + payload.length);
  view.setUint32(4, call);
  view.setUint8(8, kind);
  frame.set(payload, HEAD_BYTES);
  return frame;
}

export function encodeCredit(call: number, bytes: number): Uint8Array {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes);
  return encodeFrame(call, FrameKind.credit, payload);
}

export function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function decodeText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Cuts a connection's bytes into frames. */
export class FrameReader {
  /** What has come of the next frame. */
  #parts: Uint8Array[] = [];
  #buffered = 0;
  /** How many bytes must be there before it is worth looking again. */
  #needed = HEAD_BYTES;

  /** Throws `FLOTILLA_WIRE_MALFORMED`: the connection cannot be used further. Payloads are views. */
  push(chunk: Uint8Array, frame: (call: number, kind: number, payload: Uint8Array) => void): void {
    this.#parts.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#needed) return;
    const bytes = this.#takeAll();
    let position = 0;
    let needed = HEAD_BYTES;
    while (bytes.length - position >= HEAD_BYTES) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + position, HEAD_BYTES);
      const length = view.getUint32(0);
      if (length < 5 || length > limits.framedBytesMax) {
        throw new FlotillaError('FLOTILLA_WIRE_MALFORMED', `a frame of ${length} bytes`);
      }
      needed = 4 + length;
      if (bytes.length - position < needed) break;
      const start = position + HEAD_BYTES;
      position += needed;
      needed = HEAD_BYTES;
      frame(view.getUint32(4), view.getUint8(8), bytes.subarray(start, position));
    }
    this.#needed = needed;
    if (position === bytes.length) return;
    this.#parts.push(bytes.subarray(position));
    this.#buffered = bytes.length - position;
  }

  #takeAll(): Uint8Array {
    const parts = this.#parts;
    const only = parts.length === 1 ? parts[0] : undefined;
    const bytes = only ?? new Uint8Array(this.#buffered);
    if (only === undefined) {
      let position = 0;
      for (const part of parts) {
        bytes.set(part, position);
        position += part.length;
      }
    }
    this.#parts = [];
    this.#buffered = 0;
    return bytes;
  }
}
