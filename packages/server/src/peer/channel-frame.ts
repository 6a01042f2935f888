import { FlotillaError, type Platform } from '@flotilla/platform';

/**
 * What travels on a channel, the same in both directions:
 *
 * ```text
 *  preface (once)   frame
 *  ┌──────────┐   ┌────────────┬──────────────┬─────────┬──────────┬──────────────┬──────┐
 *  │ FLOTLINK │   │ length u32 │ checksum u32 │ kind u8 │ flags u8 │ number u16=0 │ body │
 *  └──────────┘   └────────────┴──────────────┴─────────┴──────────┴──────────────┴──────┘
 *                   of the body  of all after it, and of the length
 * ```
 *
 * A request, a message and an answer may be longer than a frame: all but the last of their frames have the flag `more`,
 * and frames of others may come between them.
 */
export const channelPreface: Uint8Array = new TextEncoder().encode('FLOTLINK');

export const channelVersion = 1;
export const channelHeaderBytes = 12;
/** Number of the stream that a part belongs to. */
export const streamBytes = 4;

/** Sent: a number never changes its meaning. */
export const frameKind = {
  hello: 1,
  welcome: 2,
  refusal: 3,
  /** Stream, and a part of path and body. */
  request: 4,
  /** As a request, and nobody waits for an answer. */
  message: 5,
  /** Stream, and a part of outcome and content. */
  answer: 6,
  /** Stream of a request that nobody waits for any more. */
  cancel: 7,
} as const;

export type FrameKind = (typeof frameKind)[keyof typeof frameKind];

const moreFlag = 1;

export interface ChannelFrame {
  readonly kind: FrameKind;
  readonly more: boolean;
  readonly body: Uint8Array;
}

/** `parts`: the body, in pieces. */
export function encodeFrame(
  platform: Platform,
  kind: FrameKind,
  parts: readonly Uint8Array[],
  more = false,
): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = new Uint8Array(channelHeaderBytes + length);
  const view = viewOf(frame);
  view.setUint32(0, length);
  frame[8] = kind;
  frame[9] = more ? moreFlag : 0;
  let at = channelHeaderBytes;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  view.setUint32(4, checksumOf(platform, frame));
  return frame;
}

/** Cuts a stream that comes in chunks split anywhere into frames, and finds every damaged one. */
export class ChannelReader {
  readonly #platform: Platform;
  readonly #deliver: (frame: ChannelFrame) => void;
  #maxBodyBytes: number;
  #rest: Uint8Array = new Uint8Array(0);
  #awaitsPreface = true;

  constructor(platform: Platform, maxBodyBytes: number, deliver: (frame: ChannelFrame) => void) {
    this.#platform = platform;
    this.#maxBodyBytes = maxBodyBytes;
    this.#deliver = deliver;
  }

  /** Strangers get little memory. */
  set maxBodyBytes(bytes: number) {
    this.#maxBodyBytes = bytes;
  }

  /**
   * Throws `FLOTILLA_PEER_NOT_A_PEER`, `FLOTILLA_PEER_FRAME_TOO_LARGE`, `FLOTILLA_PEER_CHECKSUM` or
   * `FLOTILLA_PEER_MALFORMED`: nothing after that can be trusted.
   */
  push(chunk: Uint8Array): void {
    const bytes = joined(this.#rest, chunk);
    let at = 0;
    if (this.#awaitsPreface) {
      const comparable = Math.min(bytes.length, channelPreface.length);
      for (let i = 0; i < comparable; i += 1) {
        if (bytes[i] === channelPreface[i]) continue;
        throw new FlotillaError('FLOTILLA_PEER_NOT_A_PEER', 'the stream is no channel between members');
      }
      if (comparable < channelPreface.length) {
        this.#rest = bytes;
        return;
      }
      this.#awaitsPreface = false;
      at = channelPreface.length;
    }
    while (bytes.length - at >= channelHeaderBytes) {
      const length = this.#requireLength(bytes, at);
      const end = at + channelHeaderBytes + length;
      if (end > bytes.length) break;
      this.#take(bytes.subarray(at, end));
      at = end;
    }
    // A copy: what is left of a large chunk must not keep all of it.
    this.#rest = bytes.slice(at);
  }

  #requireLength(bytes: Uint8Array, at: number): number {
    const length = viewOf(bytes).getUint32(at);
    const kind = bytes[at + 8] as number;
    const reserved = (bytes[at + 10] as number) | (bytes[at + 11] as number);
    if (kind < frameKind.hello || kind > frameKind.cancel || reserved !== 0) {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a frame of a channel has an unknown kind');
    }
    if (length > this.#maxBodyBytes) {
      throw new FlotillaError(
        'FLOTILLA_PEER_FRAME_TOO_LARGE',
        `a frame of a channel has ${length} bytes, at most ${this.#maxBodyBytes} are taken`,
      );
    }
    return length;
  }

  #take(frame: Uint8Array): void {
    if (checksumOf(this.#platform, frame) !== viewOf(frame).getUint32(4)) {
      throw new FlotillaError('FLOTILLA_PEER_CHECKSUM', 'a frame of a channel was damaged on its way');
    }
    this.#deliver({
      kind: frame[8] as FrameKind,
      more: ((frame[9] as number) & moreFlag) !== 0,
      body: frame.subarray(channelHeaderBytes),
    });
  }
}

/** Of whoever dials, and of whoever answers. */
export interface ChannelGreeting {
  readonly version: number;
  readonly clusterId: bigint;
  readonly from: number;
  /** For whom it is meant: an address may be another member's by now. */
  readonly to: number;
}

export const greetingBytes = 18;

export function encodeGreeting({ version, clusterId, from, to }: ChannelGreeting): Uint8Array {
  const bytes = new Uint8Array(greetingBytes);
  const view = viewOf(bytes);
  view.setUint16(0, version);
  view.setBigUint64(2, clusterId);
  view.setUint32(10, from);
  view.setUint32(14, to);
  return bytes;
}

/** A later version may say more. */
export function decodeGreeting(bytes: Uint8Array): ChannelGreeting {
  if (bytes.length < greetingBytes) {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a greeting between members is cut off');
  }
  const view = viewOf(bytes);
  return {
    version: view.getUint16(0),
    clusterId: view.getBigUint64(2),
    from: view.getUint32(10),
    to: view.getUint32(14),
  };
}

export function u32(number: number): Uint8Array {
  const bytes = new Uint8Array(4);
  viewOf(bytes).setUint32(0, number);
  return bytes;
}

export function streamOf(body: Uint8Array): number {
  if (body.length < streamBytes) {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a frame of a channel is cut off');
  }
  return viewOf(body).getUint32(0);
}

function checksumOf(platform: Platform, frame: Uint8Array): number {
  return platform.checksum(frame.subarray(8), platform.checksum(frame.subarray(0, 4)));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second;
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
