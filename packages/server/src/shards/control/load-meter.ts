import type { ShardId } from '@flotilla/store';

interface Reading {
  readonly atMs: number;
  readonly count: number;
  readonly rate: number;
}

/** Rates of counters that only grow, smoothed over some seconds, read whenever somebody asks. */
export class LoadMeter {
  readonly #readings = new Map<ShardId, Reading>();
  readonly #windowMs: number;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  /** A second, as of now. */
  rate(shard: ShardId, count: number, nowMs: number): number {
    const last = this.#readings.get(shard);
    // It was counted elsewhere before, or has begun anew.
    if (last === undefined || count < last.count) {
      this.#readings.set(shard, { atMs: nowMs, count, rate: 0 });
      return 0;
    }
    const passedMs = nowMs - last.atMs;
    if (passedMs <= 0) return last.rate;
    const share = Math.min(1, passedMs / this.#windowMs);
    const rate = last.rate * (1 - share) + ((count - last.count) / passedMs) * 1_000 * share;
    this.#readings.set(shard, { atMs: nowMs, count, rate });
    return rate;
  }

  keepOnly(shards: ReadonlySet<ShardId>): void {
    for (const shard of this.#readings.keys()) if (!shards.has(shard)) this.#readings.delete(shard);
  }
}
