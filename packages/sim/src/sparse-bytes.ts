import { limits } from './limits.ts';

const { fileChunkBytes, sectorBytes } = limits;

/** The bytes of a file. Ranges that were never written read as zeros and take no memory. */
export class SparseBytes {
  size = 0;
  readonly #chunks = new Map<number, Uint8Array>();

  read(position: number, length: number): Uint8Array {
    const end = Math.min(position + length, this.size);
    const result = new Uint8Array(Math.max(end - position, 0));
    for (let at = position; at < end;) {
      const offset = at % fileChunkBytes;
      const count = Math.min(fileChunkBytes - offset, end - at);
      const chunk = this.#chunks.get((at - offset) / fileChunkBytes);
      if (chunk !== undefined) result.set(chunk.subarray(offset, offset + count), at - position);
      at += count;
    }
    return result;
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    for (let at = position; at < end;) {
      const offset = at % fileChunkBytes;
      const count = Math.min(fileChunkBytes - offset, end - at);
      this.#chunk((at - offset) / fileChunkBytes).set(
        bytes.subarray(at - position, at - position + count),
        offset,
      );
      at += count;
    }
    if (end > this.size) this.size = end;
  }

  /** A copy of one sector, zeros included where the file ends before it does; null when it was never written. */
  sector(number: number): Uint8Array | null {
    const position = number * sectorBytes;
    const offset = position % fileChunkBytes;
    return (
      this.#chunks.get((position - offset) / fileChunkBytes)?.slice(offset, offset + sectorBytes) ?? null
    );
  }

  /** Puts a sector back as {@link sector} gave it. Does not change the size. */
  restoreSector(number: number, content: Uint8Array | null): void {
    const position = number * sectorBytes;
    const offset = position % fileChunkBytes;
    const index = (position - offset) / fileChunkBytes;
    if (content !== null) this.#chunk(index).set(content, offset);
    else this.#chunks.get(index)?.fill(0, offset, offset + sectorBytes);
  }

  /** Cuts the file or extends it with zeros. What was cut off reads as zeros when the file grows again. */
  resize(size: number): void {
    if (size < this.size) {
      const first = Math.floor(size / fileChunkBytes);
      for (const [index, chunk] of this.#chunks) {
        if (index > first) this.#chunks.delete(index);
        else if (index === first) chunk.fill(0, size - first * fileChunkBytes);
      }
    }
    this.size = size;
  }

  /** Numbers of the sectors from `position` to the end of the file that were ever written. */
  writtenSectorsFrom(position: number): number[] {
    const result: number[] = [];
    const perChunk = fileChunkBytes / sectorBytes;
    const last = Math.ceil(this.size / sectorBytes);
    for (let sector = Math.floor(position / sectorBytes); sector < last; sector += 1) {
      if (this.#chunks.has(Math.floor(sector / perChunk))) result.push(sector);
      else sector += perChunk - (sector % perChunk) - 1;
    }
    return result;
  }

  #chunk(index: number): Uint8Array {
    let chunk = this.#chunks.get(index);
    if (chunk === undefined) {
      chunk = new Uint8Array(fileChunkBytes);
      this.#chunks.set(index, chunk);
    }
    return chunk;
  }
}
