import type { Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { LayerStack } from '../mvcc/layer-stack.ts';
import type { KeySpan } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { Commits } from './commits.ts';
import { LogRemoval, ShardRemoval } from './row-removal.ts';

/** Removes rows that are nobody's any more, in slices between which others have their turn. */
export class RowGarbage {
  readonly #platform: Platform;
  readonly #stack: LayerStack;
  readonly #commits: Commits;
  /** Event logs that nobody lists. */
  readonly #logs: number[] = [];
  #isCollecting = false;
  /** Counts the states that the storage has had. */
  #states = 0;

  constructor(platform: Platform, stack: LayerStack, commits: Commits) {
    this.#platform = platform;
    this.#stack = stack;
    this.#commits = commits;
  }

  /** An event log, in its own time. */
  collect(log: number): void {
    this.#logs.push(log);
    if (this.#isCollecting) return;
    this.#isCollecting = true;
    this.#platform.spawn('event-log-removal', async () => {
      for (let next = this.#logs.shift(); next !== undefined; next = this.#logs.shift()) {
        const removal = new LogRemoval(this.#stack, next);
        const state = this.#states;
        const isOver = (): boolean => this.#states !== state;
        await this.#inSlices(() => isOver() || removal.slice(limits.compactionSliceEvents));
      }
      this.#isCollecting = false;
    });
  }

  /** The storage has got another state: logs of the one before are gone, and one of this may have the number of one of those. */
  restart(): void {
    this.#states += 1;
    this.#logs.length = 0;
  }

  /** What a shard has. Resolves when it is removed from the layers, stored or not. */
  async removeSpans(shard: ShardId, spans: readonly KeySpan[]): Promise<void> {
    for (const span of spans) {
      const removal = new ShardRemoval(this.#stack, shard, span);
      await this.#inSlices(() => removal.slice(limits.compactionSliceEvents));
    }
  }

  /** Until `slice` answers that it is over, or the store is closed. */
  async #inSlices(slice: () => boolean): Promise<void> {
    let tookMs = 0;
    for (;;) {
      const pauseMs = Math.max(limits.compactionPauseMs, limits.removalPauseFactor * tookMs);
      await new Promise<void>((resolve) => {
        this.#platform.timer(pauseMs, 'row-removal', resolve);
      });
      if (this.#commits.isClosed) return;
      // The disk is behind: this can wait, it only makes more work for it.
      if (this.#commits.overloaded) continue;
      const startMs = this.#platform.now();
      const isOver = slice();
      tookMs = this.#platform.now() - startMs;
      this.#commits.schedule();
      if (isOver) return;
    }
  }
}
