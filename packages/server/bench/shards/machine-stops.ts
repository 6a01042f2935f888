const LOOK_MS = 5;

interface Stop {
  readonly endMs: number;
  readonly lengthMs: number;
}

/**
 * When this process did not run although it was time to: what it shares the machine with, or what that is itself a guest
 * of, had the processors. Members stop as it does, and no request is answered meanwhile.
 */
export class MachineStops {
  readonly #stops: Stop[] = [];
  readonly #timer: NodeJS.Timeout;
  #dueMs = performance.now() + LOOK_MS;

  constructor() {
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      if (nowMs - this.#dueMs > LOOK_MS) this.#stops.push({ endMs: nowMs, lengthMs: nowMs - this.#dueMs });
      this.#dueMs = nowMs + LOOK_MS;
    }, LOOK_MS);
  }

  /** Of those that ended in this time, in milliseconds. */
  longest(fromMs: number, toMs: number): number {
    const stops = this.#stops.filter(({ endMs }) => endMs >= fromMs && endMs < toMs);
    return Math.max(0, ...stops.map(({ lengthMs }) => lengthMs));
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
