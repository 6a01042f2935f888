import type { Platform } from '@flotilla/platform';
import type { ShardNode } from './types.ts';

/** Lets many wait for whatever comes next on this node: an entry that is applied, a replica that comes or goes. */
export class Changes {
  readonly #platform: Platform;
  readonly #unsubscribe: readonly (() => void)[];
  #waiting = new Set<() => void>();
  #scheduled = false;

  constructor(platform: Platform, node: Pick<ShardNode, 'onOrder' | 'onApplied' | 'onReplicas'>) {
    this.#platform = platform;
    const changed = (): void => this.#changed();
    this.#unsubscribe = [node.onOrder(changed), node.onApplied(changed), node.onReplicas(changed)];
  }

  /** Resolves after the next change, when what caused it is over; or after so long. */
  next(patienceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = this.#platform.timer(Math.max(0, patienceMs), 'shard-change', wake);
      this.#waiting.add(wake);
    });
  }

  /** Resolves when it holds, or after so long. */
  async until(holds: () => boolean, patienceMs: number): Promise<void> {
    const untilMs = this.#platform.now() + patienceMs;
    while (!holds()) {
      const leftMs = untilMs - this.#platform.now();
      if (leftMs <= 0) return;
      await this.next(leftMs);
    }
  }

  /** Whatever changes. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#platform.timer(delayMs, 'shard-pause', resolve);
    });
  }

  stop(): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#wakeAll();
  }

  #changed(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    this.#platform.defer(() => {
      this.#scheduled = false;
      this.#wakeAll();
    });
  }

  #wakeAll(): void {
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
  }
}
