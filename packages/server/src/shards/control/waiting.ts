import type { Platform } from '@flotilla/platform';
import type { Onlooker } from '../../api/shards.ts';
import { limits } from '../../limits.ts';
import type { ControlNode } from './local-shards.ts';

/** For things that happen elsewhere: looks whenever the order says something new, and now and then. */
export class Waiting {
  readonly #platform: Platform;
  readonly #node: ControlNode;

  constructor(platform: Platform, node: ControlNode) {
    this.#platform = platform;
    this.#node = node;
  }

  /** Null: nobody looks on any more. `beside`: done at each look, to tell how far it is; may fail. */
  async until<Result>(
    onlooker: Onlooker,
    look: () => Result | null,
    beside: () => Promise<void> = () => Promise.resolve(),
  ): Promise<Result | null> {
    for (;;) {
      const result = look();
      if (result !== null) return result;
      if (onlooker.cancelled !== null) return null;
      try {
        await beside();
      } catch (error) {
        this.#platform.log.debug('how far it is cannot be told', { reason: String(error) });
      }
      if (look() === null) await this.#somethingNew(onlooker);
    }
  }

  /** For {@link until}: does it once more whenever nothing has come of it for long, as when a leader has gone with it. */
  again(task: () => Promise<void>): () => Promise<void> {
    let lastMs = this.#platform.now();
    return async () => {
      if (this.#platform.now() - lastMs < limits.controlAgainMs) return;
      lastMs = this.#platform.now();
      await task();
    };
  }

  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#platform.timer(delayMs, 'shard-onlooker', resolve);
    });
  }

  #somethingNew(onlooker: Onlooker): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#platform.timer(limits.controlBusyMs, 'shard-onlooker', () => over());
      const before = this.#node.order?.configuration.number ?? 0;
      const unsubscribe = this.#node.onOrder(({ order, effects }) => {
        const isRefused = effects.some(({ kind }) => kind === 'configuration-refused');
        if (isRefused || order.configuration.number !== before) over();
      });
      const over = (): void => {
        timer.cancel();
        unsubscribe();
        resolve();
      };
      onlooker.onCancelled(over);
    });
  }
}
