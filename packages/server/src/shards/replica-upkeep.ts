import { messageOf, type Platform, type Timer } from '@flotilla/platform';
import type { NodeId } from '@flotilla/raft';
import { type KeySpan, type OrderMachine, overlaps, type ShardId } from '@flotilla/store';
import { limits } from '../limits.ts';
import type { FormerReplicas } from './former-replicas.ts';
import { decodeMessage, encodeMessage, paths } from './node-messages.ts';
import type { OrderGroup } from './order-group.ts';
import type { ReplicaTable } from './replica-table.ts';
import type { SpareReplicas } from './spare-replicas.ts';
import type { Patience } from './types.ts';

export interface ReplicaUpkeepParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly order: () => OrderMachine | null;
  readonly group: OrderGroup;
  readonly replicas: ReplicaTable;
  readonly former: FormerReplicas;
  readonly spares: SpareReplicas;
  readonly nodesOf: (shard: ShardId) => readonly NodeId[];
  readonly ask: (node: NodeId, path: string, body: Uint8Array, patience: Patience) => Promise<Uint8Array>;
}

const patience: Patience = { timeoutMs: limits.orderProposalMs };

/** Looks after the replicas of a node now and then: those that miss something, and those that are none any more. */
export class ReplicaUpkeep {
  readonly #parts: ReplicaUpkeepParts;
  #timer: Timer | null = null;
  #stopped = false;

  constructor(parts: ReplicaUpkeepParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  /** There is nothing to look at before the cluster is sharded. */
  later(): void {
    const { order, replicas, platform } = this.#parts;
    const isSharded = order() !== null || !replicas.isEmpty;
    if (this.#stopped || this.#timer !== null || !isSharded) return;
    this.#timer = platform.timer(limits.replicaRepairMs, 'shard-repair', () => {
      this.#timer = null;
      this.#look(order());
      this.later();
    });
  }

  /** A snapshot of shard 0 has all of these keys, and finds no room for them. */
  superseded(span: KeySpan): void {
    const claims = [...this.#parts.replicas.claims()];
    this.#parts.former.askAbout(claims.filter((claim) => claim.span !== null && overlaps(claim.span, span)));
  }

  #look(order: OrderMachine | null): void {
    const { replicas } = this.#parts;
    if (order !== null) {
      replicas.repair(order);
      this.#background('shard-open', () => replicas.openMissing(order));
      this.#background('shard-forget', () => replicas.forgetEnded(order));
      this.#askMembership(order);
    }
    this.#repairOrder();
  }

  #repairOrder(): void {
    const { replicas, former, spares } = this.#parts;
    const { group, status } = this.#parts.group;
    if (group === null || status === null) return;
    // A snapshot may have completed its neighbour, or left it as it was.
    group.resume();
    const isHeld = (status.held?.forMs ?? 0) > limits.orderHeldPatienceMs;
    // What it waits for is not coming: a peer that has gone on sends all that comes of it.
    if (isHeld) group.requestSnapshot();
    if (isHeld || !status.stateReady) former.askAbout([...replicas.claims()]);
    else if (status.held !== null) former.askAbout([...spares.all()]);
  }

  /** Replicas that the map does not name: they may have left, and not have heard of it. */
  #askMembership(order: OrderMachine): void {
    const { replicas, nodeId, nodesOf, ask } = this.#parts;
    for (const held of replicas.all()) {
      const { shard } = held;
      const row = order.map.row(shard);
      if (row === null || row.nodes.includes(nodeId) || held.leads) continue;
      const [node] = nodesOf(shard);
      if (node === undefined) continue;
      this.#background('shard-member', async () => {
        const answer = await ask(node, paths.member, encodeMessage({ shard }), patience);
        const { members, index } = decodeMessage<{
          readonly members: readonly number[];
          readonly index: number;
        }>(answer);
        if (!members.includes(nodeId)) replicas.disowned(shard, index);
      });
    }
  }

  #background(label: string, task: () => Promise<unknown>): void {
    const { platform } = this.#parts;
    platform.spawn(label, async () => {
      try {
        await task();
      } catch (error) {
        platform.log.debug('a replica could not be looked after', { label, reason: messageOf(error) });
      }
    });
  }
}
