import type { Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { NodeStore, SharedShardStore } from '../node-store/node-store.ts';
import type { ShardMachine } from './shard-machine.ts';

interface Compacted {
  readonly machine: ShardMachine;
  readonly store: SharedShardStore;
}

/** Lets history of a shard go that nobody may read any more, slice by slice. */
export class ReplicaCompaction {
  readonly #platform: Platform;
  readonly #store: NodeStore;
  /** Null: there is nothing to compact at the moment. */
  readonly #state: () => Compacted | null;
  #isDue = false;

  constructor(platform: Platform, store: NodeStore, state: () => Compacted | null) {
    this.#platform = platform;
    this.#store = store;
    this.#state = state;
  }

  schedule(): void {
    if (this.#isDue || this.#due === null) return;
    this.#isDue = true;
    this.#platform.timer(limits.compactionPauseMs, 'shard-compaction', () => {
      this.#isDue = false;
      this.#slice();
    });
  }

  #slice(): void {
    const due = this.#due;
    if (due === null) return;
    // The disk is behind: compaction can wait, it only makes more work for it.
    if (!this.#store.overloaded) due.compact(limits.compactionSliceEvents);
    this.#store.changed(due.shard);
    this.#store.schedule();
    this.schedule();
  }

  get #due(): SharedShardStore | null {
    const state = this.#state();
    if (state === null || !state.machine.mayCompact) return null;
    const { keys } = state.store;
    return keys.compactedThrough < keys.compactRevision ? state.store : null;
  }
}
