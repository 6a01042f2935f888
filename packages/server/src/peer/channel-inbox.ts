import { FlotillaError } from '@flotilla/platform';
import { type ChannelFrame, streamBytes, streamOf } from './channel-frame.ts';

/** Puts together what comes in frames, several streams at a time, within a bound. */
export class ChannelInbox {
  readonly #maxBytes: number;
  readonly #parts = new Map<string, Uint8Array[]>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What is whole with this frame; null: more of it is to come. Throws `FLOTILLA_PEER_FRAME_TOO_LARGE`. */
  take({ kind, more, body }: ChannelFrame): { readonly stream: number; readonly bytes: Uint8Array } | null {
    const stream = streamOf(body);
    const part = body.subarray(streamBytes);
    const key = `${kind} ${stream}`;
    const before = this.#parts.get(key);
    if (!more && before === undefined) return { stream, bytes: part.slice() };
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) {
      throw new FlotillaError(
        'FLOTILLA_PEER_FRAME_TOO_LARGE',
        `what comes over a channel takes more than ${this.#maxBytes} bytes`,
      );
    }
    const parts = before ?? [];
    parts.push(part.slice());
    if (more) {
      this.#parts.set(key, parts);
      return null;
    }
    this.#parts.delete(key);
    const whole = joined(parts);
    this.#bytes -= whole.length;
    return { stream, bytes: whole };
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
