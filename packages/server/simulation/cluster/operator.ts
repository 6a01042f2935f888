import type { Platform } from '@flotilla/platform';
import type { RegisteredMember } from '@flotilla/store';
import type { World } from '@flotilla/sim';
import {
  callUnary,
  Cluster,
  Maintenance,
  type Member as MemberMessage,
  MemberAddRequest,
  MemberListRequest,
  MemberPromoteRequest,
  MemberRemoveRequest,
  MoveLeaderRequest,
  openFramedChannel,
  RpcError,
  type RpcChannel,
} from '@flotilla/wire';
import type { Member } from '../../src/member/member.ts';
import { clientPort, peerPort } from './member-node.ts';
import type { Slot } from './members.ts';

/** What operators were answered, and what members have ever believed of ids. */
export class MembershipRecord {
  readonly #world: World;
  readonly #identities = new Map<number, string>();
  readonly #nodeIds = new Map<bigint, number>();
  readonly #added = new Set<bigint>();
  /** Asked for, whatever was answered. */
  readonly #removals = new Set<bigint>();
  readonly #removed = new Set<bigint>();

  constructor(world: World) {
    this.#world = world;
  }

  added(id: bigint): void {
    this.#added.add(id);
  }

  removing(id: bigint): void {
    this.#removals.add(id);
  }

  removed(id: bigint): void {
    this.#removed.add(id);
  }

  seen({ nodeId, memberId, peerUrls }: RegisteredMember): void {
    const identity = `${memberId.toString(16)} at ${peerUrls.join()}`;
    const known = this.#identities.get(nodeId) ?? identity;
    this.#identities.set(nodeId, known);
    const other = this.#nodeIds.get(memberId) ?? nodeId;
    this.#nodeIds.set(memberId, other);
    if (known !== identity)
      this.#world.violate('id used twice', `${nodeId} is ${identity}, and was ${known}`);
    if (other !== nodeId) this.#world.violate('id used twice', `${identity} is ${nodeId}, and was ${other}`);
  }

  /** When all is over: one truth in two places, and everything that was answered. */
  judge(name: string, { database, group, membership }: Member): void {
    const { registry } = database;
    const { voters, votersOutgoing, learners, learnersNext } = group.status().configuration;
    if (votersOutgoing.length + learnersNext.length > 0) {
      this.#world.violate('still joint', `${name} is in a joint configuration at rest`);
    }
    if (registry.isInUse) {
      const inRegistry = [...registry.members.values()].map(({ nodeId, isLearner }) =>
        describe(nodeId, isLearner),
      );
      const inRaft = [
        ...voters.map((id) => describe(id, false)),
        ...learners.map((id) => describe(id, true)),
      ];
      if (inRegistry.sort().join() !== inRaft.sort().join()) {
        const message = `${name} has ${inRegistry.join()} in its registry and ${inRaft.join()} in its configuration`;
        this.#world.violate('registry and configuration differ', message);
      }
    }
    const urls = membership.members.flatMap(({ peerUrls }) => peerUrls);
    if (new Set(urls).size !== urls.length) {
      this.#world.violate('one address twice', `${name} has ${urls.join()}`);
    }
    const present = new Set(membership.members.map(({ memberId }) => memberId));
    for (const id of this.#added) {
      if (present.has(id) || this.#removals.has(id)) continue;
      this.#world.violate('lost member', `${name} does not know ${id.toString(16)}, who was added`);
    }
    for (const id of this.#removed) {
      if (!present.has(id)) continue;
      this.#world.violate('member is back', `${name} still knows ${id.toString(16)}, who was removed`);
    }
  }
}

export interface OperatorOptions {
  readonly world: World;
  readonly number: number;
  readonly slots: readonly Slot[];
  readonly record: MembershipRecord;
  readonly goesOn: () => boolean;
}

const requestMs = 6_000;
const thinkMs = 1_500;
/** More voters only make a seed slower. */
const mostMembers = 5;

/** Changes who is in the cluster, one call after the other, as the answers and the draws have it. */
export class Operator {
  finished = false;
  readonly #options: OperatorOptions;
  #channels: readonly RpcChannel[] = [];

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  async main(platform: Platform): Promise<void> {
    const { world, slots, goesOn } = this.#options;
    this.#channels = slots.map(({ name }) =>
      openFramedChannel(platform, { endpoints: [{ host: name, port: clientPort }] }),
    );
    while (goesOn()) {
      const waitMs = thinkMs * (0.2 + world.tape.choose(16, 'think time of an operator') / 10);
      await new Promise<void>((resolve) => platform.timer(waitMs, 'operator', resolve));
      try {
        await this.#act();
      } catch (error) {
        if (!(error instanceof RpcError)) throw error;
        world.coverage.count(`operator: ${error.message}`);
      }
    }
    for (const channel of this.#channels) channel.close();
    this.finished = true;
  }

  async #act(): Promise<void> {
    const { world, slots } = this.#options;
    const begun = slots.filter(({ hasBegun, isRemoved }) => hasBegun && !isRemoved);
    const asked = begun[world.tape.choose(Math.max(1, begun.length), 'asked member')] as Slot;
    const channel = this.#channels[slots.indexOf(asked)] as RpcChannel;
    const list = MemberListRequest.create({ linearizable: true });
    const { members } = await callUnary(channel, Cluster.methods.MemberList, list, { timeoutMs: requestMs });
    const learner = members.find(({ isLearner }) => isLearner);
    const voters = members.filter(({ isLearner }) => !isLearner);
    const drawn = world.tape.choose(10, 'operation');
    if (learner !== undefined && drawn < 6) await this.#promote(channel, learner);
    else if (members.length < mostMembers && drawn < 6) await this.#add(channel);
    else if (drawn < 9 && (voters.length > 1 || learner !== undefined))
      await this.#remove(channel, members, voters.length);
    else await this.#move(channel, voters);
  }

  /** Both operators know the same free places, and may try the same one. */
  async #add(channel: RpcChannel): Promise<void> {
    const { world, slots, record } = this.#options;
    const slot = slots.find(({ hasBegun }) => !hasBegun);
    if (slot === undefined) return;
    const request = MemberAddRequest.create({
      peerUrls: [`http://${slot.name}:${peerPort}`],
      isLearner: true,
    });
    const response = await callUnary(channel, Cluster.methods.MemberAdd, request, { timeoutMs: requestMs });
    record.added(response.member?.id ?? 0n);
    world.coverage.count('member added');
    if (!slot.hasBegun) slot.begin();
  }

  async #promote(channel: RpcChannel, { id }: MemberMessage): Promise<void> {
    const request = MemberPromoteRequest.create({ id });
    await callUnary(channel, Cluster.methods.MemberPromote, request, { timeoutMs: requestMs });
    this.#options.world.coverage.count('member promoted');
  }

  async #remove(channel: RpcChannel, members: readonly MemberMessage[], voters: number): Promise<void> {
    const { world, record } = this.#options;
    const member = members[world.tape.choose(members.length, 'removed member')] as MemberMessage;
    if (!member.isLearner && voters === 1) return;
    record.removing(member.id);
    const request = MemberRemoveRequest.create({ id: member.id });
    await callUnary(channel, Cluster.methods.MemberRemove, request, { timeoutMs: requestMs });
    record.removed(member.id);
    world.coverage.count('member removed');
  }

  async #move(channel: RpcChannel, voters: readonly MemberMessage[]): Promise<void> {
    const { world } = this.#options;
    const target = voters[world.tape.choose(voters.length, 'next leader')] as MemberMessage;
    const request = MoveLeaderRequest.create({ targetId: target.id });
    await callUnary(channel, Maintenance.methods.MoveLeader, request, { timeoutMs: requestMs });
    world.coverage.count('leadership moved');
  }
}

function describe(nodeId: number, isLearner: boolean): string {
  return `${nodeId}${isLearner ? ' (learner)' : ''}`;
}
