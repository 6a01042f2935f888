import type { Index, NodeId, PeerMessage, SnapshotMeta, SnapshotSend } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';

/** What hosts do with snapshots: send them, take them in, and forget the log below their own. */
export class Snapshots {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  ship(member: SimulatedMember, send: SnapshotSend): void {
    const { agenda, coverage, faulty, network } = this.#cluster;
    coverage.count('snapshot sent');
    const { id: from, life } = member;
    const delayMs = 2 * network.delay() + this.#tape.choose(30, 'snapshot transfer');
    const lost = network.isCut(from, send.to) || this.#tape.chance(faulty ? 1 : 0, 5, 'snapshot lost');
    if (!lost) agenda.after(delayMs, { kind: 'snapshot', to: send.to, life: 0, send, from });
    const sentMs = delayMs + network.delay();
    agenda.after(sentMs, { kind: 'snapshot-sent', to: from, life, peer: send.to, ok: !lost });
  }

  arrive(member: SimulatedMember, from: NodeId, send: SnapshotSend): void {
    const sender = this.#cluster.member(from);
    // What the sender's state machine held when it was read; a crashed sender has sent nothing.
    if (sender === undefined || !sender.up || sender.applied.index < send.index) return;
    const snapshot: SnapshotMeta = sender.applied;
    const { to, term, session } = send;
    const message: PeerMessage = { type: 'install-snapshot', from, to, term, session, snapshot };
    this.#cluster.network.remember(message);
    this.receive(member, message);
  }

  receive(member: SimulatedMember, message: Extract<PeerMessage, { type: 'install-snapshot' }>): void {
    const { coverage, monitor, turns } = this.#cluster;
    const { index } = message.snapshot;
    if (index > member.view.commit) {
      coverage.count('snapshot installed');
      member.applied = message.snapshot;
      member.flushed = member.applied;
      // Whether open proposals are in it nobody can tell.
      member.openProposals.clear();
    }
    if (index > monitor.maxApplied) monitor.maxApplied = index;
    member.core.step({ type: 'receive', message });
    turns.drainSoon(member);
  }

  compact(member: SimulatedMember): void {
    const index = Math.min(member.flushed.index, member.view.applied) as Index;
    const term = member.view.termAt(index);
    if (term === null || !member.disk.holds(index, term) || index <= member.disk.snapshot.index) return;
    this.#cluster.coverage.count('compaction');
    const { configuration } = index === member.flushed.index ? member.flushed : member.applied;
    const through: SnapshotMeta = { index, term, configuration };
    member.disk.compact(through);
    this.#cluster.step(member, { type: 'compacted', through });
  }
}
