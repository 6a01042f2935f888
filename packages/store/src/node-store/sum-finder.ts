import type { Platform } from '@flotilla/platform';
import { readSum } from '../hash/read-sum.ts';
import { limits } from '../limits.ts';
import type { SharedShardStore } from './shared-shard-store.ts';

/** Finds the sums of shards that a split, a merge or an install has left without, one after the other. */
export class SumFinder {
  readonly #platform: Platform;
  /** Whether nobody wants to know any more. */
  readonly #isOver: (store: SharedShardStore) => boolean;
  readonly #unsummed = new Set<SharedShardStore>();
  #isReading = false;

  constructor(platform: Platform, isOver: (store: SharedShardStore) => boolean) {
    this.#platform = platform;
    this.#isOver = isOver;
  }

  find(store: SharedShardStore): void {
    this.#unsummed.add(store);
    if (this.#isReading) return;
    this.#isReading = true;
    this.#platform.spawn('shard-sum', async () => {
      for (let next = this.#next(); next !== null; next = this.#next()) await this.#read(next);
      this.#isReading = false;
    });
  }

  #next(): SharedShardStore | null {
    for (const next of this.#unsummed) {
      this.#unsummed.delete(next);
      if (!this.#isOver(next)) return next;
    }
    return null;
  }

  async #read(store: SharedShardStore): Promise<void> {
    const { sum, layers } = store.keys;
    const isOver = (): boolean => this.#isOver(store) || store.keys.sum !== sum;
    if (sum !== null) await readSum(this.#platform, sum, layers, isOver, limits.shardSumPauseFactor);
  }
}
