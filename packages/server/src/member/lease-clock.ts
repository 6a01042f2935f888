import type { Platform } from '@flotilla/platform';

/**
 * The time of leases: monotonic milliseconds in which a client could have been heard. It stands while no leader is
 * known, because nobody can renew anything then, and a pause of this process counts as one step: what its clients
 * said meanwhile is in its sockets, and must be read before anything expires.
 *
 * Whoever uses it looks at it more often than every `maxStepMs`; what it loses when it is looked at less often makes
 * a lease live longer, never shorter.
 */
export class LeaseClock {
  readonly #platform: Platform;
  readonly #maxStepMs: number;
  #timeMs = 0;
  #lookedMs: number;
  #running = false;

  constructor(platform: Platform, maxStepMs: number) {
    this.#platform = platform;
    this.#maxStepMs = maxStepMs;
    this.#lookedMs = platform.now();
  }

  now(): number {
    const nowMs = this.#platform.now();
    if (this.#running) this.#timeMs += Math.min(nowMs - this.#lookedMs, this.#maxStepMs);
    this.#lookedMs = nowMs;
    return this.#timeMs;
  }

  /** Whether a leader is known. */
  run(running: boolean): void {
    this.now();
    this.#running = running;
  }
}
