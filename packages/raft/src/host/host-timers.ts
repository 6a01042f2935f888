import type { Timer } from '@flotilla/platform';
import type { AnyGroup, GroupContext } from './group-context.ts';

export interface HostTimersOwner extends GroupContext {
  readonly stopped: boolean;
  /** Runs what may throw; what it throws stops the member. */
  guard(action: () => void): void;
  /** Once a heartbeat. */
  beat(nowMs: number): void;
  /** This process was stopped, or its event loop was blocked, for an election time-out or longer. */
  paused(lateMs: number): void;
}

/** The three clocks of a host: heartbeats, ticks of the groups that want them, and deadlines. */
export class HostTimers {
  readonly #owner: HostTimersOwner;
  #beatTimer: Timer | null = null;
  #lastBeatMs: number;
  #tickTimer: Timer | null = null;
  #lastTickMs = 0;
  #sweepTimer: Timer | null = null;
  /** Groups that may want ticks, and that have deadlines: idle groups cost nothing, however many there are. */
  readonly #ticking = new Set<AnyGroup>();
  readonly #watched = new Set<AnyGroup>();

  constructor(owner: HostTimersOwner) {
    this.#owner = owner;
    this.#lastBeatMs = owner.platform.now();
  }

  start(): void {
    this.#armBeat();
  }

  stop(): void {
    this.#beatTimer?.cancel();
    this.#tickTimer?.cancel();
    this.#sweepTimer?.cancel();
  }

  watchDeadlines(group: AnyGroup): void {
    this.#watched.add(group);
    this.#armSweep();
  }

  /** From the next {@link HostTimers.armTicks} on, as long as it wants them. */
  tick(group: AnyGroup): void {
    this.#ticking.add(group);
  }

  armTicks(): void {
    if (this.#tickTimer !== null || this.#ticking.size === 0) return;
    const { platform, config } = this.#owner;
    this.#lastTickMs = platform.now();
    this.#tickTimer = platform.timer(config.tickMs, 'raft-tick', this.#tick);
  }

  /**
   * A process that was stopped, or whose event loop was blocked, for an election time-out must trust nothing that it
   * believed before: its peers have taken it for dead, and what waits in its sockets was said to somebody who was a
   * leader then. It starts over with every peer.
   */
  noticePause(nowMs: number): void {
    const late = nowMs - this.#lastBeatMs;
    if (late <= this.#owner.config.electionMs) return;
    this.#lastBeatMs = nowMs;
    this.#owner.paused(late);
  }

  #armBeat(): void {
    const { platform, config } = this.#owner;
    this.#beatTimer = platform.timer(config.heartbeatMs, 'raft-heartbeat', this.#beat);
  }

  readonly #beat = (): void => {
    if (this.#owner.stopped) return;
    this.#owner.guard(() => {
      const now = this.#owner.platform.now();
      this.noticePause(now);
      this.#lastBeatMs = now;
      this.#owner.beat(now);
      this.#armBeat();
    });
  };

  readonly #tick = (): void => {
    this.#tickTimer = null;
    if (this.#owner.stopped) return;
    this.#owner.guard(() => {
      const { platform, metrics } = this.#owner;
      const { tickMs, core } = this.#owner.config;
      const elapsed = Math.floor((platform.now() - this.#lastTickMs) / tickMs);
      // A late timer says that this process was busy, not that its peers were silent: what they said meanwhile waits in
      // the sockets. Counting all of it would let thousands of groups give up their elections at once, again and again.
      const count = Math.max(1, Math.min(elapsed, core.heartbeatTicks));
      for (const group of this.#ticking) {
        if (group.wantsTicks) {
          metrics.ticks += count;
          group.tick(count);
        } else {
          this.#ticking.delete(group);
        }
      }
      this.armTicks();
    });
  };

  #armSweep(): void {
    if (this.#sweepTimer !== null || this.#owner.stopped || this.#watched.size === 0) return;
    const { platform, config } = this.#owner;
    this.#sweepTimer = platform.timer(config.limits.sweepMs, 'raft-sweep', this.#sweep);
  }

  readonly #sweep = (): void => {
    this.#sweepTimer = null;
    if (this.#owner.stopped) return;
    this.#owner.guard(() => {
      const now = this.#owner.platform.now();
      for (const group of this.#watched) {
        group.sweep(now);
        if (!group.hasDeadlines) this.#watched.delete(group);
      }
      this.#armSweep();
    });
  };
}
