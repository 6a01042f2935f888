import { decodeHuffman, huffmanLength } from '../http2/huffman.ts';

/**
 * The first bytes of a cleartext HTTP/2 connection, held until its first request is in.
 *
 * etcd's Go client (3.4, in `endpoint status` and `endpoint hashkv`) dials `passthrough:///http://HOST:PORT` and sends
 * `:authority: http://HOST:PORT`; of a Unix socket it sends the path. grpc-go lets that pass; nghttp2 ends the request
 * with PROTOCOL_ERROR and cannot be told not to. So the value is mended before nghttp2 sees it: slashes become dots,
 * which have as many bits in HPACK's Huffman code (010111 for 011000). Nothing moves, and later requests that name the
 * same entry of the header table get the mended one.
 *
 * Go's client sends no request before it has the server's SETTINGS. So an empty SETTINGS frame is sent first
 * ({@link earlySettings}), and its acknowledgement, which nghttp2 did not ask for, is taken out.
 */
export class Http2Opening {
  #bytes: Buffer = Buffer.alloc(0);
  /** Where the next frame begins that has not been looked at. */
  #position = CLIENT_PREFACE_BYTES;
  #acknowledged = false;
  #sawRequest = false;

  /** Whether the acknowledgement is in, so that the connection can be handed over at any time. */
  get acknowledged(): boolean {
    return this.#acknowledged;
  }

  /** Held so far, without the acknowledgement. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** True: there is nothing to wait for any more. */
  push(chunk: Uint8Array): boolean {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#position + FRAME_HEADER_BYTES <= this.#bytes.length) {
      const length = this.#bytes.readUIntBE(this.#position, 3);
      const type = this.#bytes[this.#position + 3];
      const end = this.#position + FRAME_HEADER_BYTES + length;
      if (end > this.#bytes.length) {
        // Of a large one nothing but the rest will come for a while.
        return this.#acknowledged && (this.#sawRequest || length > MAX_HELD_FRAME_BYTES);
      }
      if (type === SETTINGS && ((this.#bytes[this.#position + 4] ?? 0) & ACK) !== 0 && !this.#acknowledged) {
        this.#acknowledged = true;
        this.#bytes = Buffer.concat([this.#bytes.subarray(0, this.#position), this.#bytes.subarray(end)]);
        continue;
      }
      if (type === HEADERS && !this.#sawRequest) {
        this.#sawRequest = true;
        mendAuthority(this.#bytes.subarray(this.#position, end));
      }
      // A client that pings before it asks wants an answer now.
      if (type !== SETTINGS && type !== WINDOW_UPDATE && type !== PRIORITY) this.#sawRequest = true;
      this.#position = end;
    }
    return this.#acknowledged && this.#sawRequest;
  }
}

/** A SETTINGS frame without settings. */
export const earlySettings: Uint8Array = Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0);

const CLIENT_PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const MAX_HELD_FRAME_BYTES = 16 * 1024;
const HEADERS = 1;
const PRIORITY = 2;
const SETTINGS = 4;
const WINDOW_UPDATE = 8;
const ACK = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const HAS_PRIORITY = 0x20;
/** Of HPACK's static table. */
const AUTHORITY = 1;

/** Mends `:authority` in one whole HEADERS frame, in place. Whatever is odd about the frame is left to nghttp2. */
function mendAuthority(frame: Buffer): void {
  const flags = frame[4] ?? 0;
  if ((flags & END_HEADERS) === 0) return;
  let position = FRAME_HEADER_BYTES;
  let end = frame.length;
  if ((flags & PADDED) !== 0) {
    end -= frame[position] ?? 0;
    position += 1;
  }
  if ((flags & HAS_PRIORITY) !== 0) position += 5;
  while (position < end) {
    const first = frame[position] ?? 0;
    if (first >= 0x80) {
      position = readInteger(frame, position, 7).next;
      continue;
    }
    const prefixBits = first >= 0x40 ? 6 : first >= 0x20 ? 5 : 4;
    const name = readInteger(frame, position, prefixBits);
    position = name.next;
    // A change of the table's size has no strings.
    if (prefixBits === 5) continue;
    if (name.value === 0) position = skipString(frame, position);
    if (name.value === AUTHORITY) mendString(frame, position);
    position = skipString(frame, position);
  }
}

/** An integer of HPACK (RFC 7541, section 5.1) that begins in the low `prefixBits` of a byte. */
function readInteger(bytes: Buffer, position: number, prefixBits: number): { value: number; next: number } {
  const mask = (1 << prefixBits) - 1;
  let value = (bytes[position] ?? 0) & mask;
  let next = position + 1;
  if (value < mask) return { value, next };
  for (let factor = 1; next < bytes.length && factor < 2 ** 35; factor *= 128) {
    const byte = bytes[next] ?? 0;
    next += 1;
    value += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  return { value, next };
}

function skipString(bytes: Buffer, position: number): number {
  const length = readInteger(bytes, position, 7);
  return length.next + length.value;
}

function mendString(bytes: Buffer, position: number): void {
  const huffman = ((bytes[position] ?? 0) & 0x80) !== 0;
  const length = readInteger(bytes, position, 7);
  const value = bytes.subarray(length.next, length.next + length.value);
  if (!huffman) {
    for (let i = value.indexOf(SLASH); i !== -1; i = value.indexOf(SLASH, i)) value[i] = DOT;
    return;
  }
  const text = decodeHuffman(value, 0, value.length);
  if (text === null || !text.includes('/')) return;
  let bit = 0;
  for (const letter of text) {
    if (letter === '/') overwriteBits(value, bit, DOT_BITS);
    bit += huffmanLength(letter.charCodeAt(0));
  }
}

const SLASH = 0x2f;
const DOT = 0x2e;
/** In HPACK's Huffman code. */
const DOT_BITS = '010111';

function overwriteBits(bytes: Buffer, start: number, bits: string): void {
  for (let i = 0; i < bits.length; i += 1) {
    const at = (start + i) >> 3;
    const mask = 1 << (7 - ((start + i) & 7));
    const byte = bytes[at] ?? 0;
    bytes[at] = bits[i] === '1' ? byte | mask : byte & ~mask;
  }
}
