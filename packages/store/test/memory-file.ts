import type { ByteSource } from '../src/etcd-file/bolt-reader.ts';
import type { ByteSink } from '../src/etcd-file/bolt-writer.ts';

/** A file in memory. */
export class MemoryFile implements ByteSink, ByteSource {
  #memory: Uint8Array = new Uint8Array(64 * 1024);
  sizeBytes = 0;

  get bytes(): Uint8Array {
    return this.#memory.subarray(0, this.sizeBytes);
  }

  set bytes(bytes: Uint8Array) {
    this.#memory = bytes;
    this.sizeBytes = bytes.length;
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.#memory.length) {
      const larger = new Uint8Array(2 * end);
      larger.set(this.bytes);
      this.#memory = larger;
    }
    this.#memory.set(bytes, position);
    this.sizeBytes = Math.max(this.sizeBytes, end);
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.bytes.slice(position, position + length));
  }
}
