import type { MembershipChange, MembershipOperation, MembershipStep, NodeId } from '@flotilla/raft';
import type { Tape } from '@flotilla/sim';
import type { CoreCluster } from './cluster.ts';
import type { SimulatedMember } from './member.ts';
import { isJointSet, membersIn } from './sets.ts';

const noContext = new Uint8Array(0);

/** Ids are bounded, so that a run is; newcomers beyond are refused. */
export const idsMax = 60;

const wishes = [
  'add a learner',
  'promote',
  'demote',
  'remove',
  'add a voter',
  'replace the leader',
  'swap',
  'leave',
  'update',
  'anything',
] as const;

/** Wants other members all the time. What it sees is as old as what the leader tells it. */
export class Operator {
  readonly #tape: Tape;
  readonly #cluster: CoreCluster;

  constructor(tape: Tape, cluster: CoreCluster) {
    this.#tape = tape;
    this.#cluster = cluster;
    cluster.onChange = () => this.#change();
  }

  #change(): void {
    const cluster = this.#cluster;
    const wish = wishes[this.#tape.choose(wishes.length, 'change')] as (typeof wishes)[number];
    const steps = this.#stepsFor(wish);
    if (steps === null) return;
    cluster.coverage.count(`change: ${wish}`);
    const transition =
      wish === 'leave'
        ? 'auto'
        : (['auto', 'auto', 'implicit', 'explicit'] as const)[this.#tape.choose(4, 'transition')];
    const change: MembershipChange = { steps, transition: transition ?? 'auto', context: noContext };
    const { leader } = cluster;
    const asked =
      leader !== undefined && !this.#tape.chance(1, 4, 'ask a follower')
        ? leader
        : this.#pick(cluster.present, 'ask');
    if (asked !== undefined) cluster.clients.changeMembership(asked, change);
  }

  #stepsFor(wish: (typeof wishes)[number]): MembershipStep[] | null {
    const { voters, learners } = this.#cluster.monitor.configuration;
    switch (wish) {
      case 'add a learner':
        return this.#oneStep('add-learner', this.#newcomer());
      case 'add a voter':
        return this.#oneStep('add-voter', this.#newcomer());
      case 'promote':
        return this.#oneStep('add-voter', this.#pick(learners, 'learner'));
      case 'demote':
        return this.#oneStep('add-learner', this.#pick(voters, 'voter'));
      case 'remove':
        return this.#oneStep('remove', this.#leaver());
      case 'replace the leader':
        return this.#swap(this.#cluster.leader?.id);
      case 'swap':
        return this.#swap(this.#leaver());
      case 'leave':
        return isJointSet(this.#cluster.monitor.configuration) || this.#tape.chance(1, 10, 'leave nothing')
          ? []
          : null;
      case 'update':
        return this.#oneStep('update', this.#pick(voters, 'voter'));
      case 'anything':
        return this.#anything();
    }
  }

  #oneStep(operation: MembershipOperation, id: NodeId | undefined): MembershipStep[] | null {
    return id === undefined ? null : [{ operation, id }];
  }

  /** One comes as another one goes, or becomes a learner. */
  #swap(leaver: NodeId | undefined): MembershipStep[] | null {
    const { learners } = this.#cluster.monitor.configuration;
    const joiner = this.#pick(learners, 'joiner') ?? this.#newcomer();
    if (leaver === undefined || joiner === undefined) return null;
    const operation = this.#tape.chance(1, 3, 'only demote') ? 'add-learner' : 'remove';
    return [
      { operation: 'add-voter', id: joiner },
      { operation, id: leaver },
    ];
  }

  /** Up to four steps about anybody: most make sense, some do not. */
  #anything(): MembershipStep[] {
    const ids = membersIn(this.#cluster.monitor.configuration);
    const fresh = this.#newcomer();
    if (fresh !== undefined) ids.push(fresh);
    const { settings, monitor } = this.#cluster;
    if (!settings.reusableIds) ids.push(...monitor.configuration.removed.slice(-2));
    return Array.from({ length: 1 + this.#tape.choose(4, 'steps') }, () => ({
      operation: (['add-voter', 'add-learner', 'remove', 'update'] as const)[
        this.#tape.choose(4, 'operation')
      ] as MembershipOperation,
      id: this.#pick(ids, 'whom') as NodeId,
    }));
  }

  /** Those who are lost first. */
  #leaver(): NodeId | undefined {
    const ids = membersIn(this.#cluster.monitor.configuration);
    const lost = ids.filter((id) => this.#cluster.member(id)?.wiped === true);
    return this.#pick(lost.length > 0 ? lost : ids, 'leaver');
  }

  /**
   * A new member with an empty disk; or, where ids may come back, a former one: with the disk that it left with, or
   * without the log of that.
   */
  #newcomer(): NodeId | undefined {
    const cluster = this.#cluster;
    const { configuration } = cluster.monitor;
    if (membersIn(configuration).length >= cluster.settings.membersMax) return undefined;
    const formers = configuration.removed.filter((id) => cluster.member(id)?.wiped === false);
    if (cluster.settings.reusableIds && formers.length > 0 && this.#tape.chance(1, 2, 'former member')) {
      const id = this.#pick(formers, 'former') as NodeId;
      const former = cluster.member(id) as SimulatedMember;
      if (former.life % 2 === 0) cluster.letGo(former);
      cluster.restart(former);
      return id;
    }
    // Somebody who was asked for and did not make it comes before somebody new.
    const waiting = cluster.members.filter((member) => member.up && cluster.isStranger(member));
    if (waiting.length > 1) return this.#pick(waiting, 'waiting')?.id;
    if (cluster.members.length >= idsMax) return undefined;
    return cluster.addMember().id;
  }

  #pick<Item>(items: readonly Item[], label: string): Item | undefined {
    return items.length === 0 ? undefined : items[this.#tape.choose(items.length, label)];
  }
}
