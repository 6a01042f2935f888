import type { Platform } from '@flotilla/platform';
import type { NodeId, Term } from '../core/types.ts';
import { LeaseBeats } from './lease-beats.ts';
import type { HostLimits } from './limits.ts';
import type { LeaseBeat } from './messages.ts';
import type { GroupId } from './types.ts';

export interface LeasesOptions {
  readonly platform: Pick<Platform, 'now'>;
  readonly limits: Pick<HostLimits, 'unansweredHeartbeats'>;
  readonly electionMs: number;
  /** Clocks run at rates that differ by less than this. */
  readonly leaseDriftFraction: number;
}

/** Makes a group's promise to whoever says that it leads in `term`. False: it cannot. */
export type MakePromise = (group: GroupId, leader: NodeId, term: Term, untilMs: number) => boolean;

/**
 * Leases of one host: what its heartbeats ask of the others, and what theirs are promised. Heartbeats go between nodes,
 * so one promise covers every group of the pair.
 *
 * ```text
 *  leader                                           follower
 *  sent ──── heartbeat 7 «I lead g in term 4» ────▶ heard     elects nobody else in g
 *    │  lease: electionMs · (1 − drift) from sent     │       until electionMs from heard
 *    ◀── heartbeat «I heard 7, except in h» ──────────┘
 * ```
 *
 * The leader counts from when it *sent*, the follower from when it *heard*, each by its own monotonic clock, so the lease
 * ends before the promise as long as the two clocks run at rates less than `leaseDriftFraction` apart. While a quorum's
 * promises last nobody else can be elected, so nobody else can have committed anything (dissertation, section 6.4.1).
 * Outside: a clock that stands still while time passes, as monotonic clocks do in a suspended machine.
 *
 * A promise is kept across broken connections, and a member that starts anew waits an election time-out before it votes,
 * because it may have promised something in its former life.
 */
export class Leases {
  readonly #options: LeasesOptions;
  readonly #beats = new Map<NodeId, LeaseBeats>();
  readonly #promise: MakePromise;

  constructor(options: LeasesOptions, promise: MakePromise) {
    this.#options = options;
    this.#promise = promise;
  }

  /** A connection begins or ends: what was heard and echoed on the former one is forgotten. */
  reset(peer: NodeId): void {
    this.#beats.get(peer)?.reset();
  }

  /**
   * The part of the next heartbeat to `peer`, which says that it leads `leads`. `version` numbers what our own heartbeat
   * says that we lead. Here, and only here, promises are made.
   */
  next(peer: NodeId, leads: ReadonlyMap<GroupId, Term>, version: number): LeaseBeat {
    const { platform, electionMs } = this.#options;
    const beats = this.#of(peer);
    const except: GroupId[] = [];
    if (beats.heardSequence > 0) {
      const untilMs = beats.heardMs + electionMs;
      for (const [group, term] of leads) if (!this.#promise(group, peer, term, untilMs)) except.push(group);
    }
    const sequence = beats.send(platform.now(), version);
    return { sequence, echo: beats.heardSequence, promiseMs: Math.floor(electionMs), except };
  }

  /** A heartbeat of `peer`'s. */
  heard(peer: NodeId, beat: LeaseBeat): void {
    this.#of(peer).hear(this.#options.platform.now(), beat);
  }

  /**
   * Until when, by our clock, `peer` is known to elect nobody else in `group`, in which we have said that we lead since
   * `version`.
   */
  promisedUntil(peer: NodeId, group: GroupId, version: number): number {
    const acknowledged = this.#beats.get(peer)?.acknowledged ?? null;
    if (acknowledged === null || acknowledged.version < version || acknowledged.except.has(group)) {
      return -Infinity;
    }
    const { electionMs, leaseDriftFraction } = this.#options;
    return acknowledged.sentMs + Math.min(electionMs, acknowledged.promiseMs) * (1 - leaseDriftFraction);
  }

  #of(peer: NodeId): LeaseBeats {
    let beats = this.#beats.get(peer);
    if (beats === undefined) {
      beats = new LeaseBeats(this.#options.limits.unansweredHeartbeats);
      this.#beats.set(peer, beats);
    }
    return beats;
  }
}
