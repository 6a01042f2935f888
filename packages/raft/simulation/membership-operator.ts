import { isFlotillaError, unreachable } from '@flotilla/platform';
import { membersOf } from '../src/core/quorum.ts';
import type { MembershipChange, MembershipStep, NodeId } from '../src/core/types.ts';
import type { MembershipSimulation, StormMember } from './host-membership.ts';
import { pick } from './host-settings.ts';
import { contextOf } from './membership-truth.ts';

const changes = [
  'add a learner',
  'promote',
  'demote',
  'add a voter',
  'remove',
  'replace',
  'exchange two',
] as const;

const wishes = [
  ...changes,
  'transfer',
  'hand over',
  'resign',
  'campaign',
  'forget the leader',
  'stall a disk',
  'lose the data',
] as const;

type Change = (typeof changes)[number];
type Wish = (typeof wishes)[number];

/**
 * Whoever runs the cluster, and changes its mind all the time. One thing is never done, because no protocol bears it: to
 * take away so many members for good that those with data are no quorum. So at most one voter of three or more is without
 * its data, and it is removed before anything else is asked for.
 */
export class MembershipOperator {
  readonly #simulation: MembershipSimulation;
  readonly #pauseMs: number;
  #nextNumber = 1;
  /** A change timed out: it may still come into force. */
  #unsure = false;
  #lost: StormMember | null = null;
  #running = false;

  constructor(simulation: MembershipSimulation) {
    this.#simulation = simulation;
    this.#pauseMs = pick(simulation.world.tape, 'pause of the operator', [1000, 200, 50]);
  }

  start(): void {
    this.#running = true;
    this.#pause();
  }

  /** Asks for nothing new. */
  stop(): void {
    this.#running = false;
  }

  #pause(): void {
    const { world, settings } = this.#simulation;
    const pauseMs = (this.#pauseMs * (64 - world.tape.choose(64, 'pause'))) / 64;
    world.after(pauseMs, () => {
      const member = this.#someone();
      const group = member?.group ?? null;
      if (member === null || group === null || member.node.life === null) {
        this.#pause();
        return;
      }
      let over = false;
      const done = (): void => {
        if (!over) this.#pause();
        over = true;
      };
      world.after(
        0,
        () => {
          this.#wish(member).then(done, done);
        },
        member.node.life,
      );
      world.after(2 * settings.timeoutMs, done);
    });
  }

  /** Any member may be asked for anything. */
  #someone(): StormMember | null {
    const { world, members } = this.#simulation;
    const there = members.filter(({ deployed, group, host, wiped }) => {
      return deployed && !wiped && group !== null && host?.status().failure === null;
    });
    return there[world.tape.choose(Math.max(1, there.length), 'member to ask')] ?? null;
  }

  async #wish(member: StormMember): Promise<void> {
    const { world } = this.#simulation;
    if (this.#lost !== null) {
      await this.#removeLost(member, this.#lost);
      return;
    }
    if (!this.#running) {
      // What was begun by hand is ended by hand.
      const { votersOutgoing, autoLeave } = this.#simulation.truth.latest;
      if (votersOutgoing.length > 0 && !autoLeave) await this.#change(member, []);
      return;
    }
    const wish = wishes[world.tape.choose(wishes.length, 'wish')] as Wish;
    world.coverage.count(`wish: ${wish}`);
    switch (wish) {
      case 'transfer':
      case 'hand over':
        return this.#transfer(member, wish);
      case 'resign':
        member.group?.resign();
        return;
      case 'campaign':
        member.group?.campaign();
        return;
      case 'forget the leader':
        member.group?.forgetLeader();
        return;
      case 'stall a disk':
        this.#stallDisk();
        return;
      case 'lose the data':
        this.#loseData();
        return;
      case 'add a learner':
      case 'promote':
      case 'demote':
      case 'add a voter':
      case 'remove':
      case 'replace':
      case 'exchange two':
        await this.#change(member, this.#stepsFor(wish));
        return;
      default:
        unreachable(wish);
    }
  }

  #stepsFor(wish: Change): readonly MembershipStep[] {
    const { truth } = this.#simulation;
    const { voters, learners } = truth.latest;
    const voter = this.#choose(voters);
    const learner = this.#choose(learners);
    switch (wish) {
      case 'promote':
        return learner === null ? [] : [{ operation: 'add-voter', id: learner }];
      case 'demote':
        return voter === null ? [] : [{ operation: 'add-learner', id: voter }];
      case 'remove': {
        const id = this.#choose(membersOf(truth.latest));
        return id === null ? [] : [{ operation: 'remove', id }];
      }
      case 'add a learner':
        return this.#newcomer('add-learner');
      case 'add a voter':
        return this.#newcomer('add-voter');
      case 'replace':
        return voter === null ? [] : [...this.#newcomer('add-voter'), { operation: 'remove', id: voter }];
      case 'exchange two': {
        if (voter === null || learner === null) return [];
        return [
          { operation: 'add-voter', id: learner },
          { operation: 'add-learner', id: voter },
        ];
      }
      default:
        return unreachable(wish);
    }
  }

  #choose(ids: readonly NodeId[]): NodeId | null {
    return ids[this.#simulation.world.tape.choose(Math.max(1, ids.length), 'member')] ?? null;
  }

  #newcomer(operation: 'add-voter' | 'add-learner'): readonly MembershipStep[] {
    const { members, truth } = this.#simulation;
    const known = [...membersOf(truth.latest), ...truth.latest.removed];
    // Sooner or later one that waits already; else a machine that was never used.
    const member = members.find(({ id, wiped }) => !known.includes(id) && !wiped);
    if (member === undefined) return [];
    if (!member.deployed) this.#simulation.deploy(member);
    return [{ operation, id: member.id }];
  }

  async #change(member: StormMember, steps: readonly MembershipStep[]): Promise<boolean> {
    const { world, truth, settings } = this.#simulation;
    const { group } = member;
    if (group === null) return false;
    const number = this.#nextNumber;
    this.#nextNumber += 1;
    const transition = pick(world.tape, 'transition', ['auto', 'implicit', 'auto', 'explicit'] as const);
    // No steps: an attempt to leave a joint configuration, which an explicit one needs.
    const leaves = steps.length === 0 || (truth.latest.votersOutgoing.length > 0 && !truth.latest.autoLeave);
    const change: MembershipChange = leaves
      ? { steps: [], transition: 'auto', context: contextOf(number) }
      : { steps, transition, context: contextOf(number) };
    try {
      const outcome = await group.changeMembership(change, { timeoutMs: settings.timeoutMs });
      this.#simulation.judge(() => truth.acknowledged(number, outcome));
      world.coverage.count('change made');
      this.#unsure = false;
      return true;
    } catch (error) {
      this.#simulation.judge(() => this.#changeFailed(number, error));
      return false;
    }
  }

  #changeFailed(number: number, error: unknown): void {
    const { world, truth } = this.#simulation;
    if (!isFlotillaError(error)) throw error;
    world.coverage.count(`change: ${error.code}`);
    switch (error.code) {
      case 'FLOTILLA_MEMBERSHIP_PENDING':
      case 'FLOTILLA_MEMBERSHIP_INVALID':
      case 'FLOTILLA_MEMBERSHIP_ID_REUSED':
      case 'FLOTILLA_LEARNER_BEHIND':
      case 'FLOTILLA_TERM_NOT_COMMITTED':
      case 'FLOTILLA_TRANSFERRING':
      case 'FLOTILLA_NO_LEADER':
      case 'FLOTILLA_TOO_MANY_PROPOSALS':
        truth.refused(number);
        return;
      case 'FLOTILLA_PROPOSAL_TIMEOUT':
      case 'FLOTILLA_PROPOSAL_UNKNOWN':
      case 'FLOTILLA_PEER_REMOVED':
      case 'FLOTILLA_STOPPED':
        this.#unsure = true;
        return;
      default:
        throw error;
    }
  }

  async #transfer(member: StormMember, wish: 'transfer' | 'hand over'): Promise<void> {
    const { world, truth, settings } = this.#simulation;
    const to = wish === 'hand over' ? null : this.#choose(truth.latest.voters);
    try {
      await member.group?.transferLeadership(to, { timeoutMs: settings.timeoutMs });
      world.coverage.count('transfer done');
    } catch (error) {
      if (!isFlotillaError(error)) throw error;
      world.coverage.count(`transfer: ${error.code}`);
    }
  }

  /** Of the leader, for long enough that it has to make way. */
  #stallDisk(): void {
    const { world, settings } = this.#simulation;
    const leader = this.#simulation.leader();
    if (leader === null) return;
    const stallMs = 6 * (settings.config.electionMs ?? 1000);
    leader.node.disk.faults.stalledUntil = world.now + stallMs;
    world.fault('stalled disk', `the disk of ${leader.node.name} takes nothing for ${stallMs} ms`);
  }

  /** Only when everybody else has what the group needs, and nothing is on its way that could take it from them. */
  #loseData(): void {
    const { truth, members } = this.#simulation;
    const leader = this.#simulation.leader();
    const { voters, votersOutgoing } = truth.latest;
    if (this.#unsure || leader === null || voters.length < 3 || votersOutgoing.length > 0) return;
    const id = this.#choose(voters);
    const member = members.find((one) => one.id === id);
    if (member === undefined || member.wiped) return;
    const last = leader.group?.status().lastIndex ?? 0;
    const rest = voters.filter((voter) => voter !== id);
    // They have all that is acknowledged, durably: it is in their state machines' images.
    if (!rest.every((voter) => (members[voter - 1]?.group?.status().applied ?? -1) >= last)) return;
    this.#lost = member;
    this.#simulation.wipe(member);
  }

  /** Nothing else is done until the group has got rid of it. Another machine may take its place then, under a new id. */
  async #removeLost(member: StormMember, lost: StormMember): Promise<void> {
    const { truth } = this.#simulation;
    if (truth.latest.removed.includes(lost.id)) {
      this.#lost = null;
      return;
    }
    await this.#change(member, [...this.#newcomer('add-learner'), { operation: 'remove', id: lost.id }]);
  }
}
