import type { NodeId, PeerMessage } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';

/** Messages kept for re-delivery: the whole history of any but the longest runs. */
const historyMax = 20_000;

/**
 * Datagrams between members. It loses, duplicates, delays and reorders; nothing but forwarded proposals relies on it not
 * to (the host's connections deliver those at most once).
 */
export class Network {
  readonly history: PeerMessage[] = [];
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;
  readonly #cut = new Set<number>();

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  cut(from: NodeId, to: NodeId, cut: boolean): void {
    if (cut) this.#cut.add(from * 64 + to);
    else this.#cut.delete(from * 64 + to);
    this.#cluster.record?.cut(from, to, cut);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(from * 64 + to);
  }

  heal(): void {
    this.#cut.clear();
    this.#cluster.record?.healed();
  }

  /** A member may say this now: it is on its way, or lost. */
  release(member: SimulatedMember, message: PeerMessage): void {
    const { monitor, settings, faulty, coverage } = this.#cluster;
    monitor.released(member, message);
    this.remember(message);
    if (this.isCut(message.from, message.to)) {
      this.#cluster.record?.sent(message, { arrival: null, delayMs: 0 });
      return;
    }
    if (faulty && this.#tape.chance(settings.lossPerMille, 1000, 'loss')) {
      coverage.count('message lost');
      this.#cluster.record?.sent(message, { arrival: null, delayMs: settings.delayMinMs });
      return;
    }
    this.#deliver(message, this.delay(), this.#cluster.now);
    // A forwarded proposal that came twice would be taken twice: the connection between hosts sees to it.
    if (!faulty || message.type === 'propose') return;
    if (this.#tape.chance(settings.duplicatePerMille, 1000, 'duplicate')) {
      coverage.count('message duplicated');
      const delayMs = this.delay() + this.#tape.choose(100, 'duplicate delay');
      this.#deliver(message, delayMs, this.#cluster.now, true);
    }
  }

  remember(message: PeerMessage): void {
    if (message.type !== 'propose' && this.history.length < historyMax) this.history.push(message);
  }

  redeliver(message: PeerMessage, delayMs: number): void {
    this.#cluster.coverage.count(`redelivered ${message.type}`);
    // An old word of a leader is no promise to it now.
    this.#deliver(message, delayMs, -Infinity, true);
  }

  /** How long something takes from one member to another. */
  delay(): number {
    const { delayMinMs, delayMaxMs, spikePerMille, spikeMaxMs } = this.#cluster.settings;
    if (!this.#cluster.faulty) return delayMinMs;
    const spread = ((delayMaxMs - delayMinMs) * this.#tape.choose(16, 'delay')) / 16;
    const spike = this.#tape.chance(spikePerMille, 1000, 'spike')
      ? this.#tape.choose(spikeMaxMs, 'spike ms')
      : 0;
    return delayMinMs + spread + spike;
  }

  #deliver(message: PeerMessage, delayMs: number, sentMs: number, again = false): void {
    const cluster = this.#cluster;
    if (message.type === 'install-snapshot') {
      // Its data comes with it, and goes through the host as the first time.
      cluster.later(delayMs, () => {
        const member = cluster.member(message.to);
        if (member?.up === true && member.pausedUntilMs <= cluster.now)
          cluster.snapshots.receive(member, message);
      });
      return;
    }
    const arrival = { kind: 'message', to: message.to, life: 0, message, sentMs } as const;
    cluster.record?.sent(message, { arrival, delayMs, again });
    cluster.agenda.after(delayMs, arrival);
  }
}
