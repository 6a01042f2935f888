import { isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { Group, MembershipOutcome, MembershipStep as RaftStep, NodeId } from '@flotilla/raft';
import type { OrderMachine, ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import { type MembershipStep, membershipStep } from './control/membership-plan.ts';
import type { HeldReplica } from './held-replica.ts';
import { decodeMessage, encodeMessage, type OpenAnswer, paths } from './node-messages.ts';
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
  /** By node: when it may be asked again to lead. One that is cut off looks alive for a while. */
  readonly #avoidedUntilMs = new Map<number, number>();
  /** By shard and node: the entry that made it a learner. */
  readonly #learnsSince = new Map<string, number>();

  constructor(parts: ShardMembersParts) {
    this.#parts = parts;
  }

  /** Whether the shard's members are not those that the order wants. Some may sleep: they are waited for. */
  isWanted(held: HeldReplica): boolean {
    return this.#step(held, () => true) !== null;
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
        if (step.kind === 'transfer-leader') {
          this.#avoidedUntilMs.set(step.to, platform.now() + limits.heirAvoidedMs);
        }
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

  #step(held: HeldReplica, isLive = (node: number): boolean => this.#isLive(node)): MembershipStep | null {
    const order = this.#parts.order();
    const { state } = held;
    if (order === null || state === null || !held.leads || !held.isReady) return null;
    return membershipStep({
      self: this.#parts.nodeId,
      configuration: held.configuration,
      wanted: order.configuration.assignment(held.shard)?.nodes ?? null,
      draining: state.life !== 'serving',
      isLive,
    });
  }

  #isLive(node: number): boolean {
    const { platform, isLive } = this.#parts;
    return isLive(node as NodeId) && platform.now() >= (this.#avoidedUntilMs.get(node) ?? 0);
  }

  async #take(held: HeldReplica, group: Group<unknown>, step: MembershipStep): Promise<void> {
    switch (step.kind) {
      case 'add-learner': {
        const node = step.node as NodeId;
        await this.#open(held, node);
        const { index } = await this.#change(group, [{ operation: 'add-learner', id: node }]);
        this.#learnsSince.set(nameOf(held.shard, node), index);
        return;
      }
      case 'remove':
        await this.#change(group, [{ operation: 'remove', id: step.node as NodeId }]);
        this.#learnsSince.delete(nameOf(held.shard, step.node));
        this.#tell(held.shard, group, [step.node]);
        return;
      case 'promote':
        // A learner that lost what it had been sent, in a crash before its first snapshot, has to be opened again.
        for (const node of step.nodes as readonly NodeId[]) {
          if (await this.#hasLost(held, node)) {
            await this.#change(group, [{ operation: 'remove', id: node }]);
            this.#learnsSince.delete(nameOf(held.shard, node));
            return;
          }
        }
        await this.#change(group, [
          ...step.nodes.map((id) => ({ operation: 'add-voter', id: id as NodeId }) as const),
          ...step.removes.map((id) => ({ operation: 'remove', id: id as NodeId }) as const),
        ]);
        for (const node of step.nodes) this.#learnsSince.delete(nameOf(held.shard, node));
        this.#tell(held.shard, group, step.removes);
        return;
      case 'transfer-leader':
        await group.transferLeadership(step.to as NodeId, { timeoutMs: limits.heirPatienceMs });
        return;
      case 'leave-joint':
        await this.#change(group, []);
        return;
      default:
        step satisfies never;
    }
  }

  /**
   * A learner that is empty although it has been one since before it was opened may have acknowledged what it lost: it is
   * sent that only when it begins anew.
   */
  async #hasLost(held: HeldReplica, node: NodeId): Promise<boolean> {
    const emptySince = await this.#open(held, node);
    return emptySince !== null && emptySince >= (this.#learnsSince.get(nameOf(held.shard, node)) ?? Infinity);
  }

  async #open(held: HeldReplica, node: NodeId): Promise<number | null> {
    const { shard, machine, replica } = held;
    const appliedIndex = replica.applied.index;
    const orderIndex = this.#parts.order()?.index ?? 0;
    const body = encodeMessage({ shard, span: machine.span, appliedIndex, orderIndex });
    const answer = await this.#parts.ask(node, paths.open, body, { timeoutMs: limits.membershipChangeMs });
    return decodeMessage<OpenAnswer>(answer).emptySince;
  }

  async #change(group: Group<unknown>, steps: readonly RaftStep[]): Promise<MembershipOutcome> {
    const change = { steps, transition: 'auto', context: new Uint8Array(0) } as const;
    return await group.changeMembership(change, { timeoutMs: limits.membershipChangeMs });
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

function nameOf(shard: ShardId, node: number): string {
  return `${shard} ${node}`;
}
