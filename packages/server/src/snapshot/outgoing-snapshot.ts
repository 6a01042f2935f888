import { createHash } from 'node:crypto';
import { type DiskFile, messageOf, type Platform } from '@flotilla/platform';
import type { Database, EtcdClusterFacts, ShardedContents } from '@flotilla/store';
import { limits } from '../limits.ts';

/** Part of a snapshot on its way to a client. */
export interface SnapshotBlob {
  readonly bytes: Uint8Array;
  /** Of the file, after this part. The hash behind it is not counted, as in etcd. */
  readonly remainingBytes: number;
}

/**
 * A state on its way out, as a file of etcd's. Pages of such a file are written from the leaves up and its first ones
 * last, so it is made in a temporary file of the data directory; what is in memory does not grow with the state.
 *
 * @example
 * const snapshot = await OutgoingSnapshot.create(platform, directory, database, facts);
 * try {
 *   for await (const blob of snapshot.blobs()) send(blob);
 * } finally {
 *   await snapshot.remove();
 * }
 */
export class OutgoingSnapshot {
  readonly #platform: Platform;
  readonly #file: DiskFile;
  #sizeBytes = 0;

  private constructor(platform: Platform, file: DiskFile) {
    this.#platform = platform;
    this.#file = file;
  }

  static async create(
    platform: Platform,
    directory: string,
    database: Database,
    facts: EtcdClusterFacts,
    sharded: ShardedContents | null = null,
  ): Promise<OutgoingSnapshot> {
    const path = `${directory}/${prefix}${platform.random.u32().toString(16).padStart(8, '0')}`;
    const snapshot = new OutgoingSnapshot(platform, await platform.disk.open(path, 'create'));
    try {
      const pages = new BufferedPages(snapshot.#file);
      snapshot.#sizeBytes = await database.writeEtcdFile(pages, facts, sharded);
      pages.flush();
    } catch (error) {
      await snapshot.remove();
      throw error;
    }
    return snapshot;
  }

  /** The file in parts, and then the SHA-256 of all of them, which `snapshot restore` asks for. */
  async *blobs(): AsyncGenerator<SnapshotBlob> {
    const hash = createHash('sha256');
    for (let at = 0; at < this.#sizeBytes; at += limits.snapshotBlobBytes) {
      const bytes = await this.#file.read(at, Math.min(limits.snapshotBlobBytes, this.#sizeBytes - at));
      hash.update(bytes);
      yield { bytes, remainingBytes: this.#sizeBytes - at - bytes.length };
    }
    yield { bytes: new Uint8Array(hash.digest()), remainingBytes: 0 };
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await removed(this.#platform, this.#file.path);
  }
}

/** What a process that was killed has left. */
export async function removeLeftSnapshots(platform: Platform, directory: string): Promise<void> {
  for (const name of await platform.disk.list(directory)) {
    if (name.startsWith(prefix)) await removed(platform, `${directory}/${name}`);
  }
}

const prefix = 'outgoing-snapshot-';

async function removed(platform: Platform, path: string): Promise<void> {
  try {
    await platform.disk.unlink(path);
  } catch (error) {
    platform.log.warn('a temporary file stays', { path, error: messageOf(error) });
  }
}

/** A system call for a good many pages, not one for each. Pages come in order, but for the first ones at the end. */
class BufferedPages {
  readonly #file: DiskFile;
  #parts: Uint8Array[] = [];
  #start = 0;
  #bytes = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  write(position: number, bytes: Uint8Array): void {
    if (position !== this.#start + this.#bytes || this.#bytes >= limits.snapshotWriteBytes) {
      this.flush();
      this.#start = position;
    }
    this.#parts.push(bytes);
    this.#bytes += bytes.length;
  }

  flush(): void {
    if (this.#bytes > 0) this.#file.write(this.#start, Buffer.concat(this.#parts));
    this.#parts = [];
    this.#start += this.#bytes;
    this.#bytes = 0;
  }
}
