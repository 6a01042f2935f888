import { limits } from '../limits.ts';
import type { MultiVersionState } from '../mvcc/state.ts';

/** Shards that were written to lately have caches; those of others go, so that an idle shard costs next to nothing. */
export class WarmStates {
  /** The least recently written first. */
  readonly #states = new Set<MultiVersionState>();

  written(keys: MultiVersionState): void {
    this.#states.delete(keys);
    this.#states.add(keys);
  }

  forget(keys: MultiVersionState): void {
    this.#states.delete(keys);
  }

  clear(): void {
    this.#states.clear();
  }

  /** Keeps what the bounds allow, and the last one in any case. */
  coolDown(): void {
    let buckets = 0;
    for (const { cachedBuckets } of this.#states) buckets += cachedBuckets;
    for (const keys of this.#states) {
      const isFew = this.#states.size <= limits.warmShards && buckets <= limits.cachedBuckets;
      if (isFew || this.#states.size === 1) return;
      buckets -= keys.cachedBuckets;
      keys.forgetCaches();
      this.#states.delete(keys);
    }
  }
}
