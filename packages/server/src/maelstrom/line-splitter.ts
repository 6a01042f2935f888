/**
 * Lines of text from bytes that come in any pieces. A line that grows beyond the bound is dropped as a whole, and told,
 * as soon as it does; the next one is read again.
 */
export class LineSplitter {
  readonly #maxLineBytes: number;
  readonly #tooLong: () => void;
  readonly #decoder = new TextDecoder();
  #pieces: Uint8Array[] = [];
  #sizeBytes = 0;
  #dropping = false;

  constructor(maxLineBytes: number, tooLong: () => void) {
    this.#maxLineBytes = maxLineBytes;
    this.#tooLong = tooLong;
  }

  /** The lines that are complete with this piece, without their ends. */
  push(chunk: Uint8Array): readonly string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      if (!this.#dropping) lines.push(this.#text());
      this.#begin();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return lines;
  }

  #keep(piece: Uint8Array): void {
    if (this.#dropping || piece.length === 0) return;
    this.#pieces.push(piece);
    this.#sizeBytes += piece.length;
    if (this.#sizeBytes <= this.#maxLineBytes) return;
    this.#begin();
    this.#dropping = true;
    this.#tooLong();
  }

  #text(): string {
    const line = new Uint8Array(this.#sizeBytes);
    let position = 0;
    for (const piece of this.#pieces) {
      line.set(piece, position);
      position += piece.length;
    }
    return this.#decoder.decode(line);
  }

  #begin(): void {
    this.#pieces = [];
    this.#sizeBytes = 0;
    this.#dropping = false;
  }
}

const NEWLINE = 0x0a;
