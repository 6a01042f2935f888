import type { Platform } from '@flotilla/platform';

/**
 * A token bucket over all snapshots that leave one host, so that they leave room for what clients wait for. It holds one
 * chunk: who finds it empty waits until what was taken before has flowed in again, in the order of asking.
 */
export class SnapshotThrottle {
  readonly #platform: Pick<Platform, 'now'>;
  readonly #bytesPerSecond: number;
  /** When everything that was taken will have flowed in. */
  #fullAtMs = -Infinity;

  /** `bytesPerSecond`: 0 for no limit. */
  constructor(platform: Pick<Platform, 'now'>, bytesPerSecond: number) {
    this.#platform = platform;
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Takes `sizeBytes` out. Answers how many milliseconds the sender has to wait before they may leave. */
  take(sizeBytes: number): number {
    if (this.#bytesPerSecond === 0) return 0;
    const now = this.#platform.now();
    const startMs = Math.max(now, this.#fullAtMs);
    this.#fullAtMs = startMs + (sizeBytes * 1000) / this.#bytesPerSecond;
    return startMs - now;
  }
}
