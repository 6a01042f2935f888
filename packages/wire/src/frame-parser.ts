import { RpcError } from './rpc-error.ts';
import { Status } from './status.ts';

/** Of gRPC's message prefix: one byte that says whether the message is compressed, four bytes of length. */
export const FRAME_PREFIX_BYTES = 5;

/**
 * Cuts a stream of bytes into gRPC messages, wherever the chunks begin and end. A message that came in one chunk is a
 * view of it; others are put together.
 */
export class FrameParser {
  readonly #maxMessageBytes: number;
  /** What has come of the next frame, when it was not all. */
  #parts: Uint8Array[] = [];
  #buffered = 0;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** False when the stream ended within a frame. */
  get isAtBorder(): boolean {
    return this.#buffered === 0;
  }

  /** Throws RESOURCE_EXHAUSTED or INTERNAL; the stream cannot be used further then. */
  push(chunk: Uint8Array, sink: FrameSink): void {
    let bytes = chunk;
    if (this.#buffered > 0) {
      this.#parts.push(chunk);
      this.#buffered += chunk.length;
      if (this.#buffered < this.#needed()) return;
      bytes = this.#join();
    }
    let position = 0;
    while (bytes.length - position >= FRAME_PREFIX_BYTES) {
      const start = position + FRAME_PREFIX_BYTES;
      const end = start + this.#lengthOf(bytes, position);
      if (end > bytes.length) break;
      const flag = bytes[position] as number;
      position = end;
      // A plain view, also of a Buffer: whoever reads it meets one kind of array.
      sink.message(new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start), flag === 1);
    }
    if (position < bytes.length) {
      this.#parts.push(bytes.subarray(position));
      this.#buffered = bytes.length - position;
    }
  }

  /** How much must be there before it is worth looking again. */
  #needed(): number {
    const first = this.#parts[0] as Uint8Array;
    if (first.length >= FRAME_PREFIX_BYTES) return FRAME_PREFIX_BYTES + this.#lengthOf(first, 0);
    if (this.#buffered < FRAME_PREFIX_BYTES) return FRAME_PREFIX_BYTES;
    const joined = this.#join();
    this.#parts.push(joined);
    this.#buffered = joined.length;
    return FRAME_PREFIX_BYTES + this.#lengthOf(joined, 0);
  }

  #lengthOf(bytes: Uint8Array, position: number): number {
    const flag = bytes[position] as number;
    if (flag > 1) {
      throw new RpcError(Status.INTERNAL, `grpc: received unexpected payload format ${flag}`);
    }
    const length =
      (bytes[position + 1] as number) * 0x100_0000 +
      (((bytes[position + 2] as number) << 16) |
        ((bytes[position + 3] as number) << 8) |
        (bytes[position + 4] as number));
    if (length > this.#maxMessageBytes) throw messageTooLarge(length, this.#maxMessageBytes);
    return length;
  }

  #join(): Uint8Array {
    const parts = this.#parts;
    const joined = new Uint8Array(this.#buffered);
    let position = 0;
    for (const part of parts) {
      joined.set(part, position);
      position += part.length;
    }
    this.#parts = [];
    this.#buffered = 0;
    return joined;
  }
}

/** Where the messages go. An object and no function: one is made for every call anyway. */
export interface FrameSink {
  message(bytes: Uint8Array, compressed: boolean): void;
}

/** grpc-go's text: etcd's clients look for it. */
export function messageTooLarge(sizeBytes: number, maxBytes: number): RpcError {
  return new RpcError(
    Status.RESOURCE_EXHAUSTED,
    `grpc: received message larger than max (${sizeBytes} vs. ${maxBytes})`,
  );
}

/** `message` as a frame, for senders that have not encoded it with its prefix. */
export function frameOf(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_PREFIX_BYTES + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, FRAME_PREFIX_BYTES);
  return frame;
}
