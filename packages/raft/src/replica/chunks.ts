import { replicaLimits } from './limits.ts';
import type { SnapshotContent } from './state-machine.ts';

/**
 * The bytes of a snapshot in chunks that are full but for the last: a state machine that gives its records one by one
 * must not cost a checksum, and a round trip to a peer, for each.
 */
export async function* inChunks(
  head: Uint8Array,
  content: SnapshotContent | Promise<SnapshotContent>,
  chunkBytes: number = replicaLimits.snapshotChunkBytes,
): AsyncGenerator<Uint8Array, void, undefined> {
  let chunk = new Uint8Array(chunkBytes);
  let length = 0;
  for await (const piece of piecesOf(head, content)) {
    for (let at = 0; at < piece.length;) {
      const taken = piece.subarray(at, at + chunkBytes - length);
      chunk.set(taken, length);
      length += taken.length;
      at += taken.length;
      if (length < chunkBytes) continue;
      yield chunk;
      // Whoever took it may keep it.
      chunk = new Uint8Array(chunkBytes);
      length = 0;
    }
  }
  if (length > 0) yield chunk.subarray(0, length);
}

async function* piecesOf(
  head: Uint8Array,
  content: SnapshotContent | Promise<SnapshotContent>,
): AsyncGenerator<Uint8Array, void, undefined> {
  yield head;
  const pieces = await content;
  if (pieces instanceof Uint8Array) yield pieces;
  else yield* pieces;
}

/**
 * Takes what {@link inChunks} was given as `head` off a stream again: a number of bytes in its first four bytes, and
 * that many bytes. The answer is null until all of it has come.
 */
export class HeadReader {
  #bytes: Uint8Array = new Uint8Array(0);
  #head: Uint8Array | null = null;

  /** What of `chunk` belongs to the content behind the head. */
  push(chunk: Uint8Array): Uint8Array {
    if (this.#head !== null) return chunk;
    const joined = new Uint8Array(this.#bytes.length + chunk.length);
    joined.set(this.#bytes);
    joined.set(chunk, this.#bytes.length);
    this.#bytes = joined;
    const end = this.#end;
    if (end === null || joined.length < end) return joined.subarray(joined.length);
    this.#head = joined.subarray(4, end);
    return joined.subarray(end);
  }

  get head(): Uint8Array | null {
    return this.#head;
  }

  /** How long the head says that it is; null when that has not come. */
  get #end(): number | null {
    if (this.#bytes.length < 4) return null;
    return 4 + new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getUint32(0);
  }
}

/** `head` as {@link HeadReader} expects it. */
export function framedHead(head: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + head.length);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  return bytes;
}
