import type { MembershipChange } from '@flotilla/raft';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { isJointSet, isQuorum, membersIn, votersIn } from './sets.ts';
import { Violation } from './violation.ts';

const leave: MembershipChange = { steps: [], transition: 'auto', context: new Uint8Array(0) };

/** What has to come after the faults: a leader, a write, everybody up to date, reads everywhere, and silence. */
export class Peace {
  readonly #cluster: CoreCluster;
  readonly #patienceMs: number;
  readonly #deadlineMs: number;
  #tendedMs = 0;
  #campaigns = 0;

  constructor(cluster: CoreCluster) {
    this.#cluster = cluster;
    const { electionTicks, tickMs } = cluster.settings;
    this.#patienceMs = 2 * electionTicks * tickMs;
    this.#deadlineMs = cluster.now + 20_000 + 50 * this.#patienceMs;
  }

  heal(): void {
    const cluster = this.#cluster;
    cluster.faulty = false;
    cluster.say('heal everything');
    cluster.network.heal();
    for (const member of cluster.members) {
      if (!cluster.isStranger(member) || member.up) cluster.restart(member);
      member.pausedUntilMs = 0;
      member.slowDiskUntilMs = 0;
    }
    this.#tend();
  }

  converge(): void {
    const cluster = this.#cluster;
    let askedMs = -Infinity;
    let proposal: ReturnType<CoreCluster['clients']['propose']> | null = null;
    this.#demand('no write is committed', () => {
      if (proposal !== null && proposal.committedAt !== 0) return true;
      if (cluster.now < askedMs + this.#patienceMs) return false;
      askedMs = cluster.now;
      const asked = cluster.leader ?? this.#living[0];
      if (asked !== undefined) proposal = cluster.clients.propose(asked, 1);
      return false;
    });
    this.#demand('not everybody has the last write', () => {
      const committedAt = proposal?.committedAt ?? Infinity;
      return this.#living.every((member) => member.applied.index >= committedAt && !member.disk.unsynced);
    });
    this.#demand('the members do not come to rest', () => this.#settled());
    for (const member of this.#living) this.#requireRead(member);
    cluster.monitor.checkAll();
  }

  /** An idle group whose members hear each other needs no ticks and sends no messages. */
  fallSilent(): void {
    const cluster = this.#cluster;
    if (cluster.settings.liveness !== 'peers') return;
    const quiet = (): boolean =>
      cluster.members.every(({ up, core }) => !up || (!core.wantsTicks && !core.ready));
    if (cluster.runUntil(cluster.now + 100 * this.#patienceMs, quiet)) return;
    this.#fail('an idle group wants ticks');
  }

  /** Everybody agrees who is a member, no configuration is joint, and nobody else runs. */
  #settled(): boolean {
    const { monitor, members } = this.#cluster;
    if (isJointSet(monitor.configuration)) return false;
    const ids = membersIn(monitor.configuration);
    const agree = this.#living.every(
      ({ view }) => view.configuration === monitor.configuration || isEqual(view, monitor),
    );
    const pending = this.#living.some(
      (member) => (member.modelMembership.at(-1) ?? 0) > monitor.configuredAt,
    );
    const former = members.some(({ id, up }) => up && monitor.configuration.removed.includes(id));
    return agree && !pending && !former && ids.length > 0;
  }

  #requireRead(member: SimulatedMember): void {
    const cluster = this.#cluster;
    let askedMs = cluster.now;
    let read = cluster.clients.read(member);
    this.#demand(`a read at ${member.id} is not answered`, () => {
      if (!read.answered && cluster.now >= askedMs + this.#patienceMs) {
        askedMs = cluster.now;
        read = cluster.clients.read(member);
      }
      return read.answered;
    });
  }

  #demand(what: string, done: () => boolean): void {
    const fine = this.#cluster.runUntil(this.#deadlineMs, () => {
      this.#tend();
      return done();
    });
    if (!fine) this.#fail(what);
  }

  /** Members that can serve: wiped ones never will. */
  get #living(): readonly SimulatedMember[] {
    const { monitor, members } = this.#cluster;
    const ids = membersIn(monitor.configuration);
    return members.filter(({ id, wiped }) => !wiped && ids.includes(id));
  }

  /** What an operator does in peace, now and then. */
  #tend(): void {
    const cluster = this.#cluster;
    if (cluster.now < this.#tendedMs) return;
    this.#tendedMs = cluster.now + this.#patienceMs;
    this.#reviveQuorum();
    for (const member of this.#living) cluster.restart(member);
    this.#switchOffFormers();
    const { configuration } = cluster.monitor;
    if (isJointSet(configuration) && !configuration.autoLeave && cluster.leader !== undefined) {
      cluster.clients.changeMembership(cluster.leader, leave);
    }
    this.#campaignByHand();
  }

  /** A change that was on its way when a disk was lost may need it: then it must have been a slow repair instead. */
  #reviveQuorum(): void {
    const cluster = this.#cluster;
    const isLeft = (id: number): boolean => cluster.members[id - 1]?.wiped === false;
    for (const configuration of cluster.decisive(isLeft)) {
      if (isQuorum(configuration, isLeft)) continue;
      for (const id of votersIn(configuration)) {
        const member = cluster.member(id);
        if (member === undefined || !member.wiped) continue;
        cluster.coverage.count('wipe taken back');
        member.wiped = false;
        cluster.restart(member);
      }
    }
  }

  /** Whoever was removed is ended when a quorum of the others knows. */
  #switchOffFormers(): void {
    const cluster = this.#cluster;
    const { configuration, configuredAt } = cluster.monitor;
    const knows = (id: number): boolean => (cluster.members[id - 1]?.applied.index ?? 0) >= configuredAt;
    if (!isQuorum(configuration, knows)) return;
    for (const id of configuration.removed) {
      const member = cluster.member(id);
      if (member?.up === true) cluster.switchOff(member);
    }
  }

  /** Where all who know that they vote are of priority 0 nobody campaigns by itself. */
  #campaignByHand(): void {
    const cluster = this.#cluster;
    if (cluster.leader !== undefined) return;
    const { configuration } = cluster.monitor;
    const voters = this.#living.filter(({ id }) => votersIn(configuration).includes(id));
    const knowsThatItVotes = ({ id, view }: SimulatedMember): boolean =>
      votersIn(view.configuration).includes(id);
    if (voters.some((member) => member.priority > 0 && knowsThatItVotes(member))) return;
    // One after the other: two at once would split the votes.
    this.#campaigns += 1;
    const member = voters[this.#campaigns % voters.length];
    if (member !== undefined && member.pledge.untilMs <= cluster.now)
      cluster.step(member, { type: 'campaign' });
  }

  #fail(what: string): never {
    const { members, monitor } = this.#cluster;
    const states = members.map(({ view, up, wiped }) =>
      up ? `${view.id}:${view.role}@${view.term}/${view.commit}` : `${view.id}:${wiped ? 'wiped' : 'down'}`,
    );
    throw new Violation(
      'I14 liveness',
      `${what} (${states.join(' ')}) ${JSON.stringify(monitor.configuration)}`,
    );
  }
}

function isEqual(view: SimulatedMember['view'], monitor: CoreCluster['monitor']): boolean {
  return JSON.stringify(view.configuration) === JSON.stringify(monitor.configuration);
}
