import type { NodeId } from '@flotilla/raft';
import type { CoreCluster } from './cluster.ts';
import type { HeartbeatEvent } from './event.ts';
import type { SimulatedMember } from './member.ts';

/** What hosts tell each other about themselves, and believe of each other (with the liveness `peers`). */
export class Heartbeats {
  readonly #cluster: CoreCluster;

  constructor(cluster: CoreCluster) {
    this.#cluster = cluster;
  }

  /** A host tells its peers that it lives and what it leads, and notices whom it has not heard. */
  beat(member: SimulatedMember): void {
    const { settings, agenda, network, members, now } = this.#cluster;
    const { tickMs, heartbeatTicks, electionTicks } = settings;
    const everyMs = tickMs * heartbeatTicks;
    agenda.after(everyMs * member.clockRate, { kind: 'beat', to: member.id, life: member.life });
    member.beats += 1;
    const leadsTerm = member.view.role === 'leader' ? member.view.term : null;
    for (const other of members) {
      if (other === member) continue;
      const belief = member.peers.get(other.id);
      if (belief?.alive === true && now - belief.heardAtMs > electionTicks * tickMs) {
        this.fallSilent(member, other.id);
      }
      if (network.isCut(member.id, other.id) || !other.up) continue;
      const { id: from, beats: beat } = member;
      agenda.after(network.delay(), {
        kind: 'alive',
        to: other.id,
        life: other.life,
        from,
        leadsTerm,
        beat,
        sentMs: now,
      });
    }
  }

  hear(member: SimulatedMember, { from, leadsTerm, beat, sentMs }: HeartbeatEvent): void {
    const cluster = this.#cluster;
    const belief = member.peers.get(from) ?? { alive: false, leadsTerm: null, heardAtMs: 0, beat: 0 };
    member.peers.set(from, belief);
    if (beat <= belief.beat) return;
    belief.beat = beat;
    belief.heardAtMs = cluster.now;
    if (!belief.alive || belief.leadsTerm !== leadsTerm) {
      belief.alive = true;
      belief.leadsTerm = leadsTerm;
      cluster.events += 1;
      cluster.step(member, { type: 'peer-alive', peer: from, leadsTerm });
    }
    cluster.leases.promiseHeard(member, from, leadsTerm, sentMs);
  }

  fallSilent(member: SimulatedMember, peer: NodeId): void {
    const belief = member.peers.get(peer);
    if (belief === undefined || !belief.alive || !member.up) return;
    belief.alive = false;
    this.#cluster.events += 1;
    this.#cluster.coverage.count('peer silent');
    this.#cluster.step(member, { type: 'peer-silent', peer });
  }

  /** Whether the member's host knows for sure that its leader lives. */
  leaderLives({ view, peers }: SimulatedMember): boolean {
    const belief = peers.get(view.leader);
    return belief !== undefined && belief.alive && belief.leadsTerm === view.term;
  }

  /** The connection between two hosts breaks: both notice, as far as they can hear of each other. */
  resetConnection(a: SimulatedMember, b: SimulatedMember): void {
    this.reset(a, b.id);
    this.reset(b, a.id);
  }

  reset(member: SimulatedMember, from: NodeId): void {
    const { settings, agenda, network } = this.#cluster;
    if (settings.liveness !== 'peers' || !member.up || network.isCut(from, member.id)) return;
    // A new connection counts its beats anew.
    const belief = member.peers.get(from);
    if (belief !== undefined) belief.beat = 0;
    agenda.after(network.delay(), { kind: 'reset', to: member.id, life: member.life, from });
  }
}
