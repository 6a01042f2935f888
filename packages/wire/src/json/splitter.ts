/**
 * Finds where the JSON values of a body end that holds several, one after another, and comes in pieces. It counts
 * brackets and knows strings; whether a value is well-formed is left to who reads it.
 */
export class JsonSplitter {
  readonly #maxValueBytes: number;
  readonly #tooLong: (sizeBytes: number) => Error;
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #inValue = false;

  /** A value that grows beyond `maxValueBytes` throws what `tooLong` answers. */
  constructor(maxValueBytes: number, tooLong: (sizeBytes: number) => Error) {
    this.#maxValueBytes = maxValueBytes;
    this.#tooLong = tooLong;
  }

  /** The values that are complete with this piece. */
  push(chunk: Uint8Array): string[] {
    const values: string[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      if (!this.#take(chunk[i] as number)) continue;
      values.push(this.#finish(chunk.subarray(start, i + 1)));
      start = i + 1;
    }
    this.#keep(chunk.subarray(start));
    return values;
  }

  /** What is left when the body ends: a value that was cut off, or null. */
  end(): string | null {
    const rest = this.#finish(new Uint8Array(0));
    return rest.trim() === '' ? null : rest;
  }

  /** Whether a value ends with this byte. */
  #take(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        this.#inValue = true;
        return false;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#depth += 1;
        this.#inValue = true;
        return false;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#depth -= 1;
        return this.#depth <= 0;
      case 0x20:
      case 0x0a:
      case 0x0d:
      case 0x09:
        // Of a number or a word, which are no messages and are refused as such.
        return this.#inValue && this.#depth === 0;
      default:
        this.#inValue = true;
        return false;
    }
  }

  #keep(piece: Uint8Array): void {
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes > this.#maxValueBytes) throw this.#tooLong(this.#sizeBytes);
    if (piece.length > 0) this.#pieces.push(piece);
  }

  #finish(last: Uint8Array): string {
    this.#keep(last);
    const value = decoder.decode(concatenate(this.#pieces, this.#sizeBytes));
    this.#pieces = [];
    this.#sizeBytes = 0;
    this.#depth = 0;
    this.#inString = false;
    this.#escaped = false;
    this.#inValue = false;
    return value;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

function concatenate(pieces: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(sizeBytes);
  let position = 0;
  for (const piece of pieces) {
    whole.set(piece, position);
    position += piece.length;
  }
  return whole;
}
