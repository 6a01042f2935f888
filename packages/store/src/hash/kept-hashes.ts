import { limits } from '../limits.ts';
import type { KeyValueHash } from './hash-kv.ts';

/**
 * Hashes that somebody asked for. etcd remembers the hash at the revision of a compaction as it was before it, so that
 * one who compares before and after sees no difference; here that is so where it was asked for before. A start forgets
 * them, in etcd, too: whoever compares members compares those of one `compactRevision`.
 */
export class KeptHashes {
  /** By hashed revision, the one asked for last at the end. */
  readonly #hashes = new Map<number, KeyValueHash>();

  keep(hash: KeyValueHash): void {
    if (hash.hashRevision === hash.compactRevision) return;
    this.#hashes.delete(hash.hashRevision);
    this.#hashes.set(hash.hashRevision, hash);
    if (this.#hashes.size <= limits.keptHashes) return;
    const [oldest] = this.#hashes.keys();
    this.#hashes.delete(oldest as number);
  }

  /** Null: not at the compaction revision, or not known. */
  before(revision: number, compactRevision: number): KeyValueHash | null {
    return revision === compactRevision ? (this.#hashes.get(revision) ?? null) : null;
  }
}
