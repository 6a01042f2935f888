import { FlotillaError } from '@flotilla/platform';
import type { ByteWriter } from './bytes.ts';

/**
 * Cuts a byte stream between peers into frames and finds every damaged one.
 *
 * ```text
 *  preface (once per direction)      frame
 *  ┌──────────┐   ┌───────────┬──────────────┬────────┬─────────┬──────┐
 *  │ FLOTPEER │   │ length u32│ checksum u32 │ kind u8│ 0 (u8×3)│ body │
 *  └──────────┘   └───────────┴──────────────┴────────┴─────────┴──────┘
 *                   of the body  of all after it, and of the length
 * ```
 */
export class FrameDecoder {
  readonly #checksum: Checksum;
  readonly #deliver: (kind: FrameKind, body: Uint8Array) => void;
  #maxFrameBytes: number;
  /** The start of a frame whose end has not come yet. */
  #partial: Uint8Array = empty;
  #partialLength = 0;
  #awaitsPreface = true;

  constructor(
    checksum: Checksum,
    maxFrameBytes: number,
    deliver: (kind: FrameKind, body: Uint8Array) => void,
  ) {
    this.#checksum = checksum;
    this.#maxFrameBytes = maxFrameBytes;
    this.#deliver = deliver;
  }

  /** Strangers get little memory; the handshake raises the bound. */
  set maxFrameBytes(bytes: number) {
    this.#maxFrameBytes = bytes;
  }

  /**
   * Takes a chunk of the stream, split anywhere. Bodies that lie wholly in one chunk are delivered as views of it, the
   * others as views of a copy; neither is used again here. Throws `FLOTILLA_PEER_NOT_A_PEER`,
   * `FLOTILLA_PEER_FRAME_TOO_LARGE` or `FLOTILLA_PEER_CHECKSUM`: nothing after that can be trusted.
   */
  push(chunk: Uint8Array): void {
    let position = 0;
    while (position < chunk.length) {
      if (this.#partialLength > 0) {
        position = this.#complete(chunk, position);
        continue;
      }
      const needed = this.#frameLength(chunk, position, chunk.length - position);
      if (needed === 0 || needed > chunk.length - position) {
        if (needed > 0) this.#requireHeader(chunk, position);
        this.#keep(chunk, position, needed);
        return;
      }
      this.#take(chunk, position, needed);
      position += needed;
    }
  }

  /** Whether the stream may end here. */
  get atBoundary(): boolean {
    return this.#partialLength === 0;
  }

  /** Length of the unit that starts at `position`, or 0 while too little of it is there to tell. */
  #frameLength(bytes: Uint8Array, position: number, available: number): number {
    if (this.#awaitsPreface) {
      const comparable = Math.min(available, preface.length);
      for (let i = 0; i < comparable; i += 1) {
        // Compared byte by byte as they come, so that a stray HTTP client is turned away by its first byte.
        if (bytes[position + i] !== preface[i]) {
          throw new FlotillaError('FLOTILLA_PEER_NOT_A_PEER', 'the stream does not speak the peer protocol');
        }
      }
      return preface.length;
    }
    if (available < frameHeaderBytes) return 0;
    const length = readU32(bytes, position);
    if (length + frameHeaderBytes > this.#maxFrameBytes) {
      throw new FlotillaError(
        'FLOTILLA_PEER_FRAME_TOO_LARGE',
        `a frame of ${length} bytes exceeds the bound of ${this.#maxFrameBytes}`,
      );
    }
    return length + frameHeaderBytes;
  }

  /**
   * Looks at a header before its body is waited for. In a stream that has lost bytes any three of a checksum can pass for
   * a length of many megabytes, and the peer would seem alive for as long as they take to come.
   */
  #requireHeader(bytes: Uint8Array, position: number): void {
    if (this.#awaitsPreface || isHeader(bytes, position)) return;
    throw new FlotillaError('FLOTILLA_PEER_CHECKSUM', 'the header of a frame is damaged');
  }

  #keep(chunk: Uint8Array, position: number, needed: number): void {
    const available = chunk.length - position;
    this.#partial = new Uint8Array(Math.max(needed, frameHeaderBytes));
    this.#partial.set(chunk.subarray(position), 0);
    this.#partialLength = available;
  }

  /** Adds to the partial frame what it lacks; answers the position after it. */
  #complete(chunk: Uint8Array, position: number): number {
    let at = position;
    let needed = this.#frameLength(this.#partial, 0, this.#partialLength);
    if (needed === 0) {
      at = this.#append(chunk, at, frameHeaderBytes);
      if (this.#partialLength < frameHeaderBytes) return at;
      needed = this.#frameLength(this.#partial, 0, this.#partialLength);
      this.#requireHeader(this.#partial, 0);
    }
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(needed);
      grown.set(this.#partial.subarray(0, this.#partialLength));
      this.#partial = grown;
    }
    at = this.#append(chunk, at, needed);
    if (this.#partialLength < needed) {
      if (this.#awaitsPreface) this.#frameLength(this.#partial, 0, this.#partialLength);
      return at;
    }
    const frame = this.#partial;
    this.#partial = empty;
    this.#partialLength = 0;
    this.#take(frame, 0, needed);
    return at;
  }

  #append(chunk: Uint8Array, position: number, upTo: number): number {
    const count = Math.min(upTo - this.#partialLength, chunk.length - position);
    this.#partial.set(chunk.subarray(position, position + count), this.#partialLength);
    this.#partialLength += count;
    return position + count;
  }

  #take(bytes: Uint8Array, position: number, length: number): void {
    if (this.#awaitsPreface) {
      this.#awaitsPreface = false;
      return;
    }
    const expected = readU32(bytes, position + 4);
    const actual = frameChecksum(this.#checksum, bytes.subarray(position, position + length));
    if (expected !== actual) {
      throw new FlotillaError('FLOTILLA_PEER_CHECKSUM', 'a frame does not match its checksum');
    }
    const kind = frameKinds[bytes[position + 8] ?? 0];
    if (kind === undefined || !isHeader(bytes, position)) {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a frame of unknown kind');
    }
    this.#deliver(kind, bytes.subarray(position + frameHeaderBytes, position + length));
  }
}

export type FrameKind = 'hello' | 'welcome' | 'refusal' | 'batch';

/** Continues a CRC-32 from `seed`; {@link Platform.checksum}. */
export type Checksum = (bytes: Uint8Array, seed?: number) => number;

export const frameHeaderBytes = 12;

/** What each side sends before its first frame. */
export const preface: Uint8Array = Uint8Array.from([0x46, 0x4c, 0x4f, 0x54, 0x50, 0x45, 0x45, 0x52]);

const frameKinds: readonly (FrameKind | undefined)[] = [undefined, 'hello', 'welcome', 'refusal', 'batch'];
const empty = new Uint8Array(0);

/** Leaves room for a header; the answer goes to {@link endFrame}. */
export function beginFrame(writer: ByteWriter, kind: FrameKind): number {
  const start = writer.length;
  writer.u32(0);
  writer.u32(0);
  writer.u8(frameKinds.indexOf(kind));
  writer.u8(0);
  writer.u16(0);
  return start;
}

/** Fills in length and checksum of the frame that began at `start`. */
export function endFrame(writer: ByteWriter, start: number, checksum: Checksum): void {
  writer.patchU32(start, writer.length - start - frameHeaderBytes);
  writer.patchU32(start + 4, frameChecksum(checksum, writer.peek(start)));
}

/** Whether a frame of a known kind may begin here. */
function isHeader(bytes: Uint8Array, position: number): boolean {
  const reserved = (bytes[position + 9] ?? 0) | (bytes[position + 10] ?? 0) | (bytes[position + 11] ?? 0);
  return frameKinds[bytes[position + 8] ?? 0] !== undefined && reserved === 0;
}

function frameChecksum(checksum: Checksum, frame: Uint8Array): number {
  return checksum(frame.subarray(8), checksum(frame.subarray(0, 4)));
}

function readU32(bytes: Uint8Array, position: number): number {
  return (
    (((bytes[position] ?? 0) << 24) |
      ((bytes[position + 1] ?? 0) << 16) |
      ((bytes[position + 2] ?? 0) << 8) |
      (bytes[position + 3] ?? 0)) >>>
    0
  );
}
