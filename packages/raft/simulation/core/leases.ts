import type { PeerMessage } from '@flotilla/raft';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { isQuorum } from './sets.ts';

/** What hosts do about leases: they promise leaders not to depose them for a while. */
export class Leases {
  readonly #cluster: CoreCluster;

  constructor(cluster: CoreCluster) {
    this.#cluster = cluster;
  }

  /** A member that starts again does not know any more what it promised. */
  promiseNobody(member: SimulatedMember): void {
    if (this.#areOn) member.pledge = this.#promise(member, 0, 0, 0);
  }

  /** By what a leader's core says. */
  promiseLeader(member: SimulatedMember, { type, from, term }: PeerMessage, sentMs: number): void {
    if (!this.#areOn || this.#cluster.settings.liveness === 'peers') return;
    if (type !== 'heartbeat' && type !== 'append') return;
    if (member.view.leader !== from || member.view.term !== term) return;
    member.pledge = this.#promise(member, from, term, sentMs);
  }

  /** By what a leader's host says. */
  promiseHeard(member: SimulatedMember, from: number, leadsTerm: number | null, sentMs: number): void {
    if (!this.#areOn || leadsTerm === null) return;
    if (member.view.leader === from && member.view.term === leadsTerm) {
      member.pledge = this.#promise(member, from, leadsTerm, sentMs);
    }
  }

  breaksPromise(member: SimulatedMember, message: PeerMessage): boolean {
    if (!this.#areOn || (message.type !== 'vote' && message.type !== 'pre-vote')) return false;
    const { now } = this.#cluster;
    return !message.forced && message.from !== member.pledge.to && now < member.pledge.untilMs;
  }

  /** Nor does it campaign itself. (With a leader that lives, `peers` give it ticks for other reasons.) */
  keepsStill({ view, pledge }: SimulatedMember): boolean {
    if (!this.#areOn || view.role === 'leader') return false;
    const { now, settings } = this.#cluster;
    return now < pledge.untilMs && (settings.liveness === 'ticks' || view.leader === 0);
  }

  /** Whether a quorum has promised this leader, from when it sent what they answer, for longer than clocks may differ. */
  vouchFor(leader: SimulatedMember): boolean {
    const { view } = leader;
    if (view.role !== 'leader') return false;
    const cluster = this.#cluster;
    const { electionTicks, tickMs } = cluster.settings;
    const sinceMs = cluster.now - 0.8 * electionTicks * tickMs * leader.clockRate;
    return isQuorum(view.configuration, (id) => {
      if (id === leader.id) return true;
      const pledge = cluster.member(id)?.pledge;
      return pledge?.to === leader.id && pledge.term === view.term && pledge.sentMs >= sinceMs;
    });
  }

  get #areOn(): boolean {
    return this.#cluster.settings.leasePerMille > 0;
  }

  /** By the member's own clock, which may run faster or slower than others by a tenth. */
  #promise(member: SimulatedMember, to: number, term: number, sentMs: number): SimulatedMember['pledge'] {
    const { electionTicks, tickMs } = this.#cluster.settings;
    return { to, term, sentMs, untilMs: this.#cluster.now + electionTicks * tickMs * member.clockRate };
  }
}
