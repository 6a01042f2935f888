import { inSeconds } from '../fault-log.ts';
import type { World } from '../world.ts';

export interface LivenessOptions {
  /** How long it may be hot without a break, in simulated time. */
  readonly hotLimitMs: number;
  /**
   * `fair`, the default: time counts only after the faults have ended, because hardly anything can promise progress
   * under all of them. `always`: from the start.
   */
  readonly during?: 'fair' | 'always';
  /** Cold exactly while this holds, asked after every event. Without it, {@link LivenessMonitor.hot} and `cold` say so. */
  readonly holds?: () => boolean;
}

/**
 * A liveness monitor, as in P and Coyote: hot while something good is due, cold when it has happened. To be hot for
 * longer than the limit is a violation.
 *
 * @example
 * const leader = sim.eventually('a leader', { hotLimitMs: 10_000, holds: () => nodes.some((n) => n.instance?.leads) });
 */
export class LivenessMonitor {
  readonly name: string;
  readonly #world: World;
  readonly #options: LivenessOptions;
  #hotSinceMs: number | null = null;
  #counting: boolean;

  constructor(world: World, name: string, options: LivenessOptions) {
    this.name = name;
    this.#world = world;
    this.#options = options;
    this.#counting = options.during === 'always';
  }

  get hotLimitMs(): number {
    return this.#options.hotLimitMs;
  }

  get isHot(): boolean {
    return this.#hotSinceMs !== null;
  }

  /** Something good is due from now on, unless it was already. */
  hot(): void {
    this.#hotSinceMs ??= this.#world.now;
  }

  /** It has happened. */
  cold(): void {
    this.#hotSinceMs = null;
  }

  /** The faults are over: from now on being hot counts. */
  fair(): void {
    if (this.#counting) return;
    this.#counting = true;
    if (this.#hotSinceMs !== null) this.#hotSinceMs = this.#world.now;
  }

  /** Called after every event, and at the end of each phase. */
  observe(): void {
    const { holds, hotLimitMs } = this.#options;
    if (holds !== undefined) {
      if (holds()) this.cold();
      else this.hot();
    }
    if (!this.#counting || this.#hotSinceMs === null) return;
    const hotMs = this.#world.now - this.#hotSinceMs;
    if (hotMs <= hotLimitMs) return;
    this.#world.violate(this.name, `«${this.name}» did not come about for ${inSeconds(hotMs)}`);
  }
}
