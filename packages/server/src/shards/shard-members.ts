import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { Group, MembershipStep as RaftStep, NodeId } from '@flotilla/raft';
import type { OrderMachine, ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import { type MembershipStep, membershipStep } from './control/membership-plan.ts';
import type { HeldReplica } from './held-replica.ts';
import { encodeMessage, paths } from './node-messages.ts';
import type { Patience } from './types.ts';

export interface ShardMembersParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly order: () => OrderMachine | null;
  readonly isLive: (node: NodeId) => boolean;
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
}

/**
 * Brings replicas of the shards that this node leads to where the order wants them: each step can be tried again by
 * whoever leads next, and what was done already is seen in the group's configuration (rule 17).
 */
export class ShardMembers {
  readonly #parts: ShardMembersParts;
  readonly #moving = new Set<ShardId>();

  constructor(parts: ShardMembersParts) {
    this.#parts = parts;
  }

  /** Whether the shard's members are not those that the order wants. */
  isWanted(held: HeldReplica): boolean {
    return this.#step(held) !== null;
  }

  /** Takes the next step, if there is one and none is under way. `done`: look again. */
  act(held: HeldReplica, done: () => void): void {
    const { platform } = this.#parts;
    const step = this.#step(held);
    const { group, shard } = held;
    if (step === null || group === null || this.#moving.has(shard)) return;
    this.#moving.add(shard);
    platform.spawn('shard-members', async () => {
      try {
        await this.#take(held, group, step);
      } catch (error) {
        // A learner that has not caught up, a leader that has gone: it is tried again as long as it is wanted.
        const isUsual = isFlotillaError(error);
        const fields = { shard, step: step.kind, reason: messageOf(error) };
        if (isUsual) platform.log.debug('the members of a shard could not be changed yet', fields);
        else platform.log.warn('the members of a shard could not be changed', fields);
        await new Promise<void>((resolve) => {
          platform.timer(limits.membershipPauseMs, 'shard-members', resolve);
        });
      }
      this.#moving.delete(shard);
      done();
    });
  }

  #step(held: HeldReplica): MembershipStep | null {
    const order = this.#parts.order();
    const { state } = held;
    if (order === null || state === null || !held.leads || !held.isReady) return null;
    return membershipStep({
      self: this.#parts.nodeId,
      configuration: held.configuration,
      wanted: order.configuration.assignment(held.shard)?.nodes ?? null,
      draining: state.life !== 'serving',
      isLive: (node) => this.#parts.isLive(node as NodeId),
    });
  }

  async #take(held: HeldReplica, group: Group<unknown>, step: MembershipStep): Promise<void> {
    switch (step.kind) {
      case 'add-learner': {
        const node = step.node as NodeId;
        await this.#open(held, node);
        await this.#change(group, [{ operation: 'add-learner', id: node }]);
        return;
      }
      case 'remove':
        await this.#change(group, [{ operation: 'remove', id: step.node as NodeId }]);
        this.#tell(held.shard, group, [step.node]);
        return;
      case 'promote':
        // A learner that lost what it had been sent, in a crash before its first snapshot, has to be opened again.
        for (const node of step.nodes) await this.#open(held, node as NodeId);
        await this.#change(group, [
          ...step.nodes.map((id) => ({ operation: 'add-voter', id: id as NodeId }) as const),
          ...step.removes.map((id) => ({ operation: 'remove', id: id as NodeId }) as const),
        ]);
        this.#tell(held.shard, group, step.removes);
        return;
      case 'transfer-leader':
        await group.transferLeadership(step.to as NodeId, { timeoutMs: limits.membershipChangeMs });
        return;
      case 'leave-joint':
        await this.#change(group, []);
        return;
      default:
        step satisfies never;
    }
  }

  async #open(held: HeldReplica, node: NodeId): Promise<void> {
    const { shard, machine, replica } = held;
    const appliedIndex = replica.applied.index;
    const orderIndex = this.#parts.order()?.index ?? 0;
    const body = encodeMessage({ shard, span: machine.span, appliedIndex, orderIndex });
    await this.#parts.ask(node, paths.open, body, { timeoutMs: limits.membershipChangeMs });
  }

  async #change(group: Group<unknown>, steps: readonly RaftStep[]): Promise<void> {
    const change = { steps, transition: 'auto', context: new Uint8Array(0) } as const;
    await group.changeMembership(change, { timeoutMs: limits.membershipChangeMs });
  }

  /** Those that have left hear of it from nobody else. */
  #tell(shard: ShardId, group: Group<unknown>, nodes: readonly number[]): void {
    const { platform, ask } = this.#parts;
    const index = group.status().applied;
    for (const node of nodes) {
      platform.spawn('shard-members', async () => {
        try {
          const body = encodeMessage({ shard, index });
          await ask(node as NodeId, paths.drop, body, { timeoutMs: limits.membershipChangeMs });
        } catch (error) {
          // It looks for itself, when it sees that the map does not name it.
          platform.log.debug('a node was not told that it left a shard', { node, reason: messageOf(error) });
        }
      });
    }
  }
}
