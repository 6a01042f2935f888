import type { Effects } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { Violation } from './violation.ts';

/** The turns of the members' event loops: at the end of each the core is drained, and its effects are seen to. */
export class Turns {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  drainSoon(member: SimulatedMember, matchesMayHaveMoved = false): void {
    const { agenda, faulty, settings } = this.#cluster;
    if (settings.turnMs === 0) {
      this.#drain(member, matchesMayHaveMoved);
      return;
    }
    if (member.drainScheduled) return;
    member.drainScheduled = true;
    const { id: to, life } = member;
    const delayMs = faulty ? this.#tape.choose(settings.turnMs + 1, 'turn') : 0;
    agenda.after(delayMs, { kind: 'drain', to, life });
  }

  /** A turn that {@link Turns.drainSoon} has announced ends. */
  end(member: SimulatedMember): void {
    member.drainScheduled = false;
    this.#drain(member, true);
  }

  #drain(member: SimulatedMember, matchesMayHaveMoved: boolean): void {
    const { disks, monitor, coverage } = this.#cluster;
    const { core, seenLeadingTerm: led } = member;
    if (!core.ready) {
      monitor.stepped(member, matchesMayHaveMoved);
      return;
    }
    // A drain gives everything; one that leaves something would keep its host busy for ever.
    let drains = 0;
    do {
      if (drains === 3) throw new Violation('I13 drained', `${member.id} is ready after ${drains} drains`);
      drains += 1;
      const effects = core.drain();
      if (effects.write !== null) disks.write(member, effects.write);
      monitor.stepped(member, matchesMayHaveMoved);
      this.#perform(member, effects);
    } while (member.core.ready);
    if (member.seenLeadingTerm !== led) {
      coverage.count('leader elected');
      this.#cluster.onLeader(member);
    }
  }

  #perform(member: SimulatedMember, effects: Effects): void {
    const { clients, disks, network, snapshots, stateMachines } = this.#cluster;
    for (const message of effects.send) network.release(member, message);
    for (const settlement of effects.settle) clients.settle(member, settlement);
    if (effects.apply.length > 0) stateMachines.applySoon(member, effects.apply);
    for (const read of effects.readLog) disks.readSoon(member, read);
    for (const send of effects.sendSnapshot) snapshots.ship(member, send);
    if (effects.write !== null) disks.syncSoon(member);
  }
}
