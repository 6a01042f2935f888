import { createHash } from 'node:crypto';
import { type DiskFile, FlotillaError, type Platform } from '@flotilla/platform';
import type { ByteSource } from '@flotilla/store';
import { limits } from '../limits.ts';

/** A snapshot in a file: a database of etcd's, and behind it the SHA-256 that `snapshot save` has put there. */
export class SnapshotSource implements ByteSource {
  /** Without the hash. */
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  readonly #hasHash: boolean;

  private constructor(file: DiskFile) {
    this.#file = file;
    // Pages are multiples of 512 bytes, so what is over is a hash; so does etcd tell a copied database from a snapshot.
    this.#hasHash = file.size() % 512 === hashBytes;
    this.sizeBytes = file.size() - (this.#hasHash ? hashBytes : 0);
  }

  static async open(platform: Platform, path: string): Promise<SnapshotSource> {
    return new SnapshotSource(await platform.disk.open(path, 'read'));
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const end = Math.min(position + length, this.sizeBytes);
    return end <= position ? new Uint8Array(0) : await this.#file.read(position, end - position);
  }

  /** Rejects with `FLOTILLA_SNAPSHOT_DAMAGED`, in etcd's words, when the file has no hash or is not what was hashed. */
  async checkHash(): Promise<void> {
    if (!this.#hasHash) throw damaged('snapshot missing hash but --skip-hash-check=false');
    const hash = createHash('sha256');
    for (let at = 0; at < this.sizeBytes; at += limits.snapshotReadBytes) {
      hash.update(await this.read(at, limits.snapshotReadBytes));
    }
    const actual = hash.digest();
    const expected = await this.#file.read(this.sizeBytes, hashBytes);
    if (actual.compare(expected) === 0) return;
    throw damaged(`expected sha256 ${Buffer.from(expected).toString('hex')}, got ${actual.toString('hex')}`);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const hashBytes = 32;

function damaged(why: string): FlotillaError {
  return new FlotillaError('FLOTILLA_SNAPSHOT_DAMAGED', why);
}
