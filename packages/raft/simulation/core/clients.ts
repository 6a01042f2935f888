import type { MembershipChange, Ref, RefusalReason, Settlement } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { PendingClientRead, Proposal, SimulatedMember } from './member.ts';

const refusals: Readonly<Record<RefusalReason, string>> = {
  'no-leader': 'refused: no-leader',
  'uncommitted-bytes': 'refused: uncommitted-bytes',
  'too-large': 'refused: too-large',
  transferring: 'refused: transferring',
  'not-ready': 'refused: not-ready',
  'change-pending': 'refused: change-pending',
  'term-not-committed': 'refused: term-not-committed',
  'id-reused': 'refused: id-reused',
  'learner-behind': 'refused: learner-behind',
  'invalid-change': 'refused: invalid-change',
};

/** Those who write and read all the time, and what they are told. */
export class Clients {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;
  #proposals = 0;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
  }

  /** A few writes at one member, in a row. */
  wantWrites(): void {
    const member = this.#anyMember();
    if (member === undefined) return;
    const burst = 1 + this.#tape.choose(4, 'burst');
    this.#cluster.events += burst;
    const { payloadBytesMax } = this.#cluster.settings;
    for (let i = 0; i < burst; i += 1) {
      this.propose(member, 4 + this.#tape.choose(payloadBytesMax, 'payload bytes'));
    }
  }

  wantRead(): void {
    const member = this.#anyMember();
    if (member === undefined) return;
    this.#cluster.events += 1;
    this.read(member);
  }

  propose(member: SimulatedMember, sizeBytes: number): Proposal {
    this.#proposals += 1;
    const proposal: Proposal = {
      number: this.#proposals,
      payload: new Uint8Array(sizeBytes),
      member,
      life: member.life,
      term: 0,
      state: 'asked',
      committedAt: 0,
    };
    this.#cluster.monitor.register(proposal);
    const ref = nextRef(member);
    member.proposals.set(ref, proposal);
    this.#cluster.step(member, { type: 'propose', ref, payload: proposal.payload });
    return proposal;
  }

  read(member: SimulatedMember): PendingClientRead {
    const { coverage, leases, monitor, settings } = this.#cluster;
    const ref = nextRef(member);
    const read = { floor: monitor.maxApplied, answered: false };
    member.reads.set(ref, read);
    const { leasePerMille } = settings;
    const lease =
      leasePerMille > 0 && this.#tape.chance(leasePerMille, 1000, 'lease') && leases.vouchFor(member);
    if (lease) coverage.count('read under a lease');
    this.#cluster.step(member, { type: 'read', ref, policy: lease ? 'lease' : 'read-index' });
    return read;
  }

  changeMembership(member: SimulatedMember, change: MembershipChange): void {
    if (!member.up) return;
    const ref = nextRef(member);
    member.changes.add(ref);
    const steps = change.steps.map(({ operation, id }) => `${operation} ${id}`).join(', ');
    this.#cluster.say(`ask ${member.id} for ${change.transition} change: ${steps || 'leave'}`);
    this.#cluster.events += 1;
    this.#cluster.step(member, { type: 'change-membership', ref, change });
  }

  settle(member: SimulatedMember, settlement: Settlement): void {
    const { coverage, monitor } = this.#cluster;
    switch (settlement.type) {
      case 'appended':
      case 'forwarded': {
        if (member.changes.delete(settlement.ref)) coverage.count(`change ${settlement.type}`);
        const proposal = member.proposals.get(settlement.ref);
        if (proposal === undefined) return;
        proposal.state = 'taken';
        proposal.term = settlement.term;
        member.proposals.delete(settlement.ref);
        member.openProposals.set(proposal.number, proposal);
        break;
      }
      case 'readable': {
        const read = member.reads.get(settlement.ref);
        if (read === undefined) return;
        member.reads.delete(settlement.ref);
        read.answered = true;
        coverage.count('read answered');
        monitor.readable(member, settlement.index, read.floor);
        break;
      }
      case 'read-forwarded':
        break;
      case 'refused': {
        coverage.count(refusals[settlement.reason]);
        member.reads.delete(settlement.ref);
        member.changes.delete(settlement.ref);
        const proposal = member.proposals.get(settlement.ref);
        if (proposal !== undefined) proposal.state = 'refused';
        member.proposals.delete(settlement.ref);
        break;
      }
    }
  }

  #anyMember(): SimulatedMember | undefined {
    const { leader, now, present } = this.#cluster;
    const chosen =
      leader !== undefined && this.#tape.chance(1, 2, 'ask the leader')
        ? leader
        : (present[this.#tape.choose(present.length, 'ask')] as SimulatedMember);
    return chosen.up && chosen.pausedUntilMs <= now ? chosen : undefined;
  }
}

function nextRef(member: SimulatedMember): Ref {
  const ref = member.nextRef as Ref;
  member.nextRef += 1;
  return ref;
}
