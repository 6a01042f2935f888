import { FlotillaError, type Platform } from '@flotilla/platform';

/**
 * What a call looks like on the wire, the same in both directions:
 *
 * ```text
 *  ┌──────────┬────────────┬──────────────┬────────────┬──────────┬──────┐
 *  │ FLOTCALL │ length u32 │ checksum u32 │ version u8 │ 0 (u8×3) │ body │
 *  └──────────┴────────────┴──────────────┴────────────┴──────────┴──────┘
 *               of the body    of the body
 *  body of a request: length of the path u16 │ path │ what the handler is given
 *  body of an answer: outcome u8 │ what the handler answered, or the text of its error
 * ```
 *
 * Preface and header have the shape of the peer protocol's, so that whoever cuts its streams into frames can cut these;
 * the fifth byte tells the two apart.
 */
export const callPreface = new TextEncoder().encode('FLOTCALL');

/** A version that this build does not know is refused: what follows it may be anything. */
const version = 1;
const lengthAt = callPreface.length;
const checksumAt = lengthAt + 4;
const versionAt = checksumAt + 4;
const headerBytes = versionAt + 4;

/** How a call ended. Sent: a number never changes its meaning. */
export const outcomes = { answered: 0, failed: 1, unknownPath: 2 } as const;

/** Cuts one body out of a stream that comes in chunks split anywhere. */
export class CallReader {
  readonly #platform: Platform;
  readonly #maxBodyBytes: number;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #bodyBytes = -1;

  constructor(platform: Platform, maxBodyBytes: number) {
    this.#platform = platform;
    this.#maxBodyBytes = maxBodyBytes;
  }

  /**
   * The body, once it is whole; null until then. Throws `FLOTILLA_PEER_MALFORMED`, `FLOTILLA_PEER_VERSION`,
   * `FLOTILLA_PEER_FRAME_TOO_LARGE` or `FLOTILLA_PEER_CHECKSUM`, before more than the bound is kept.
   */
  push(chunk: Uint8Array): Uint8Array | null {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < headerBytes) return null;
    if (this.#bodyBytes < 0) this.#bodyBytes = this.#readHeader();
    if (this.#bytes < headerBytes + this.#bodyBytes) return null;
    const all = this.#joined();
    const body = all.subarray(headerBytes, headerBytes + this.#bodyBytes);
    if (this.#platform.checksum(body) !== viewOf(all).getUint32(checksumAt)) {
      throw new FlotillaError('FLOTILLA_PEER_CHECKSUM', 'a call between members was damaged on its way');
    }
    return body;
  }

  #readHeader(): number {
    const all = this.#joined();
    if (callPreface.some((byte, i) => all[i] !== byte)) {
      throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'the stream is no call between members');
    }
    const found = all[versionAt];
    if (found !== version) {
      throw new FlotillaError('FLOTILLA_PEER_VERSION', `a call has version ${found}, known is ${version}`);
    }
    const length = viewOf(all).getUint32(lengthAt);
    if (length > this.#maxBodyBytes) {
      throw new FlotillaError(
        'FLOTILLA_PEER_FRAME_TOO_LARGE',
        `a call between members has ${length} bytes, at most ${this.#maxBodyBytes} are taken`,
      );
    }
    return length;
  }

  #joined(): Uint8Array {
    if (this.#chunks.length === 1) return this.#chunks[0] as Uint8Array;
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks.splice(0, this.#chunks.length, all);
    return all;
  }
}

export function encodeRequest(platform: Platform, path: string, body: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode(path);
  const bytes = new Uint8Array(2 + name.length + body.length);
  viewOf(bytes).setUint16(0, name.length);
  bytes.set(name, 2);
  bytes.set(body, 2 + name.length);
  return framed(platform, bytes);
}

export function decodeRequest(body: Uint8Array): { readonly path: string; readonly body: Uint8Array } {
  const nameEnd = body.length < 2 ? Infinity : 2 + viewOf(body).getUint16(0);
  if (nameEnd > body.length) {
    throw new FlotillaError('FLOTILLA_PEER_MALFORMED', 'a call between members is cut off');
  }
  return { path: new TextDecoder().decode(body.subarray(2, nameEnd)), body: body.subarray(nameEnd) };
}

export function encodeAnswer(platform: Platform, outcome: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + content.length);
  bytes[0] = outcome;
  bytes.set(content, 1);
  return framed(platform, bytes);
}

function framed(platform: Platform, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(headerBytes + body.length);
  bytes.set(callPreface);
  viewOf(bytes).setUint32(lengthAt, body.length);
  viewOf(bytes).setUint32(checksumAt, platform.checksum(body));
  bytes[versionAt] = version;
  bytes.set(body, headerBytes);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
