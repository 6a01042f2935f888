import { assert, isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import {
  configurationOf,
  emptyConfiguration,
  type Group,
  type Host,
  type NodeId,
  type RoleChange,
} from '@flotilla/raft';
import {
  covers,
  type KeySpan,
  type OrderMachine,
  orderShard,
  overlaps,
  type ReplicaObserver,
  type ReplicaParts,
  type ShardId,
  type ShardMachine,
  ShardReplica,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import { HeldReplica, type Opened } from './held-replica.ts';
import type { OpenMessage } from './node-messages.ts';
import type { ShardAnswers } from './shard-answers.ts';

export interface ReplicaTableParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly host: Host;
  readonly store: ReplicaParts['store'];
  readonly access: ReplicaParts['access'];
  /** Resolves when everything that is applied survives a crash. */
  readonly flush: () => Promise<void>;
  readonly order: () => OrderMachine | null;
  readonly applied: ReplicaObserver['applied'];
  readonly answers: (replica: ShardReplica) => ShardAnswers;
  readonly roleChanged: (held: HeldReplica, change: RoleChange) => void;
  /** Replicas came, went, or are another state's. */
  readonly changed: () => void;
  /** Of group 0: an entry that was held may go on. */
  readonly resumeOrder: () => void;
  /** For how long one has been held. */
  readonly orderHeldMs: () => number;
  readonly failed: (error: unknown) => void;
}

/** Nobody was removed from a group before. */
const firstIndex = 1;

/**
 * The replicas of a node, shard 0 aside: they come with a split, or empty to be filled by a snapshot; and go when a
 * neighbour takes them over, or when this node is no member any more. Each has its Raft group, whose id is the shard's.
 */
export class ReplicaTable implements ReplicaObserver {
  readonly #parts: ReplicaTableParts;
  readonly #replicaParts: ReplicaParts;
  readonly #held = new Map<ShardId, HeldReplica>();
  /** On their way out, with their log. */
  readonly #leaving = new Map<ShardId, Promise<void>>();
  #stopped = false;

  constructor(parts: ReplicaTableParts) {
    this.#parts = parts;
    const { platform, store, access } = parts;
    const neighbour = (shard: ShardId): ShardReplica | null => this.#held.get(shard)?.replica ?? null;
    this.#replicaParts = { platform, store, access, observer: this, neighbour };
    for (const stored of store.stored) {
      if (stored.mark?.kind === 'removing') continue;
      this.#hold(ShardReplica.open(this.#replicaParts, stored));
    }
  }

  get(shard: ShardId): HeldReplica | null {
    return this.#held.get(shard) ?? null;
  }

  all(): Iterable<HeldReplica> {
    return this.#held.values();
  }

  /** Opens the groups of what was stored. */
  async open(): Promise<void> {
    const removed = new Set(this.#parts.host.removedGroups);
    for (const held of this.#held.values()) {
      // It had left before the crash, and its rows were still to go.
      if (removed.has(held.shard)) this.#forget(held);
      else if (held.group === null) await this.#openGroup(held);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const held of this.#held.values()) {
      held.lead?.end();
      held.answers.end();
    }
  }

  // What a leader elsewhere asks for.

  /** Opens a replica that waits for a snapshot. Throws what keeps it from coming. */
  async openEmpty(message: OpenMessage): Promise<void> {
    const { shard, span } = message;
    const { host } = this.#parts;
    if (this.#held.has(shard)) return;
    await this.#leaving.get(shard);
    this.#requireRoom(shard, span);
    if (host.removedGroups.includes(shard)) await this.#mayReturn(shard);
    if (this.#held.has(shard) || this.#stopped) return;
    const held = this.#hold(ShardReplica.empty(this.#replicaParts, shard), message);
    await this.#openGroup(held);
  }

  /** This node was removed from the group by the entry at `index`. */
  dropped(shard: ShardId, index: number): void {
    const held = this.#held.get(shard);
    if (held === undefined || held.openedAt >= index) return;
    const { applied, configuration } = held.replica;
    const isMember = [...configuration.voters, ...configuration.learners].includes(this.#parts.nodeId);
    // It has come back since.
    if (applied.index >= index && isMember) return;
    this.drop(held);
  }

  /** The replica leaves this node for good. */
  drop(held: HeldReplica): void {
    if (!this.#detach(held)) return;
    this.#leave(held.shard, async () => {
      await this.#parts.host.removeGroup(held.shard);
      if (!held.replica.hasEnded) await held.replica.remove();
    });
  }

  /** Those that no row of the map names any more, and that nobody here will take over. */
  repair(order: OrderMachine): void {
    for (const held of this.#held.values()) {
      const { state, shard } = held;
      // An order that is behind does not know of it yet.
      if (order.index < held.bornBefore || order.map.row(shard) !== null) continue;
      if (order.lastFact(shard, order.index) !== null) continue;
      if (state === null) {
        this.drop(held);
        continue;
      }
      const heir = order.map.of([state.span])[0];
      const local = heir === undefined ? null : this.#heirHere(heir.shard);
      if (heir === undefined || local === null || overlaps(local.span, state.span)) this.drop(held);
      // Nobody can tell it the rest any more: its neighbour gets all of it with a snapshot, which needs room.
      else if (this.#heldMs(heir.shard) > 2 * limits.heldPatienceMs) this.drop(held);
    }
    for (const { replica, group } of this.#held.values()) {
      if (replica.waitsFor === null || group === null) continue;
      if ((group.status().held?.forMs ?? 0) > limits.heldPatienceMs) group.requestSnapshot();
    }
  }

  /**
   * Shard 0 has all of these keys elsewhere, and its replica here waits for them: a neighbour that it took over there
   * can be told the rest by nobody, and the order here will not hear of it before the neighbour is out of the way.
   */
  superseded(span: KeySpan): void {
    for (const held of this.#held.values()) {
      if (held.state !== null && covers(span, held.state.span)) this.drop(held);
    }
  }

  /**
   * Those that the map says are here and are not: they were split off a neighbour that was gone from here by then, so
   * nothing here will become one of them. They get a snapshot.
   */
  async openMissing(order: OrderMachine): Promise<void> {
    const { host, nodeId } = this.#parts;
    for (const { shard, span, nodes } of order.map.rows) {
      if (shard === orderShard || !nodes.includes(nodeId)) continue;
      const isKnown = this.#held.has(shard) || this.#leaving.has(shard);
      // What was removed here comes back when a leader has it come back.
      if (isKnown || host.removedGroups.includes(shard) || !this.#hasRoom(shard, span)) continue;
      await this.openEmpty({ shard, span, appliedIndex: firstIndex, orderIndex: order.index });
    }
  }

  #heldMs(shard: ShardId): number {
    if (shard === orderShard) return this.#parts.orderHeldMs();
    return this.#held.get(shard)?.group?.status().held?.forMs ?? 0;
  }

  // What replicas tell in the middle of applying.

  applied(...[replica, applied]: Parameters<ReplicaObserver['applied']>): void {
    this.#parts.applied(replica, applied);
    if (replica.isReady && replica.machine.barrier?.kind === 'merge') {
      this.#resume(replica.machine.barrier.into);
    }
  }

  spawned(child: ShardReplica, parent: ShardReplica): void {
    const leads = this.#held.get(parent.id)?.leads ?? false;
    this.#adopt(child, leads);
  }

  /** Shard 0 was split: its child begins on the nodes that the order names. */
  spawnedOfOrder(machine: ShardMachine, nodes: readonly number[]): void {
    const child = ShardReplica.spawn(this.#replicaParts, machine, configurationOf(nodes));
    this.#adopt(child, nodes[0] === this.#parts.nodeId);
  }

  absorbed(_: ShardReplica, drained: ShardReplica, flushed: Promise<void>): void {
    const held = this.#held.get(drained.id);
    if (held === undefined || !this.#detach(held)) return;
    this.#leave(drained.id, async () => {
      // Until then a crash brings it back, and it needs its log to drain once more.
      await flushed;
      await this.#parts.host.removeGroup(drained.id);
      await this.#parts.host.forgetGroup(drained.id);
    });
  }

  /** Shard 0 has taken it over, with the entry that is applied now. */
  takenByOrder(shard: ShardId): void {
    const held = this.#held.get(shard);
    if (held === undefined || !this.#detach(held)) return;
    held.replica.takenByOrder();
    this.#leave(shard, async () => {
      await this.#parts.flush();
      await this.#parts.host.removeGroup(shard);
      await this.#parts.host.forgetGroup(shard);
    });
  }

  restored(replica: ShardReplica): void {
    const held = this.#held.get(replica.id);
    if (held === undefined) return;
    held.answers.restored(replica.machine);
    this.#parts.changed();
  }

  // Groups.

  #hold(replica: ShardReplica, opened?: Opened): HeldReplica {
    assert(!this.#held.has(replica.id), 'a node has one replica of a shard');
    const held = new HeldReplica(replica, this.#parts.answers(replica), opened);
    this.#held.set(replica.id, held);
    return held;
  }

  #adopt(child: ShardReplica, campaigns: boolean): void {
    const { host, nodeId } = this.#parts;
    const takesPart = child.initialConfiguration.voters.includes(nodeId);
    const isKnown = this.#held.has(child.id) || this.#leaving.has(child.id);
    if (isKnown || !takesPart || host.removedGroups.includes(child.id)) {
      this.#task(() => child.remove());
      return;
    }
    const held = this.#hold(child);
    this.#task(async () => {
      await this.#openGroup(held);
      if (campaigns) await this.#elect(held);
      this.#parts.changed();
    });
  }

  async #openGroup(held: HeldReplica): Promise<void> {
    const { host, roleChanged } = this.#parts;
    const { replica } = held;
    const group: Group<unknown> = await host.openGroup({
      id: replica.id,
      stateMachine: replica,
      initialConfiguration: held.openedAt > 0 ? emptyConfiguration : replica.initialConfiguration,
      membersMayReturn: true,
    });
    if (this.#held.get(held.shard) !== held) return;
    held.opened(group);
    group.onRoleChange((change) => {
      if (this.#held.get(held.shard) === held) roleChanged(held, change);
    });
    group.onRemoved(() => this.#task(() => Promise.resolve(this.drop(held))));
    roleChanged(held, group.status());
    this.#parts.changed();
  }

  /** A new group has no leader: who led its parent stands first, again while the others open it. */
  async #elect(held: HeldReplica): Promise<void> {
    for (let attempt = 0; attempt < limits.firstElections && !this.#stopped; attempt += 1) {
      const { group } = held;
      if (group === null || group.status().leader !== 0) return;
      group.campaign();
      await new Promise<void>((resolve) => {
        this.#parts.platform.timer(limits.firstElectionMs * 2 ** attempt, 'first-election', resolve);
      });
    }
  }

  /** Nobody uses it any more. False: that was so already. */
  #detach(held: HeldReplica): boolean {
    if (this.#held.get(held.shard) !== held) return false;
    this.#held.delete(held.shard);
    held.lead?.end();
    held.lead = null;
    held.answers.end();
    this.#parts.changed();
    return true;
  }

  #leave(shard: ShardId, leave: () => Promise<void>): void {
    const left = leave().finally(() => {
      if (this.#leaving.get(shard) === left) this.#leaving.delete(shard);
      this.#parts.changed();
    });
    this.#leaving.set(shard, left);
    this.#task(() => left);
  }

  /** Its group is gone already, its rows are not. */
  #forget(held: HeldReplica): void {
    if (this.#detach(held)) this.#leave(held.shard, () => held.replica.remove());
  }

  /**
   * A group that was removed here is forgotten, so that it can be opened again: as soon as no state of this node's store
   * that a crash may bring back knows of it.
   */
  async #mayReturn(shard: ShardId): Promise<void> {
    await this.#parts.flush();
    await this.#parts.host.forgetGroup(shard);
  }

  /** Another replica that has some of the keys must change or go first: one store has each key once. */
  #requireRoom(shard: ShardId, span: KeySpan): void {
    const order = this.#parts.order();
    if (order !== null) this.repair(order);
    const other = this.#inTheWay(shard, span);
    if (other !== null) throw new Error(`the replica of shard ${other} here has keys of it`);
  }

  #hasRoom(shard: ShardId, span: KeySpan): boolean {
    const own = this.#parts.order()?.own.span ?? null;
    return this.#inTheWay(shard, span) === null && (own === null || !overlaps(own, span));
  }

  #inTheWay(shard: ShardId, span: KeySpan): ShardId | null {
    for (const { shard: other, state } of this.#held.values()) {
      if (other !== shard && state !== null && overlaps(state.span, span)) return other;
    }
    return null;
  }

  #heirHere(shard: ShardId): ShardMachine | null {
    if (shard === orderShard) return this.#parts.order()?.own ?? null;
    return this.#held.get(shard)?.state ?? null;
  }

  #resume(into: ShardId): void {
    this.#parts.platform.defer(() => {
      if (into === orderShard) this.#parts.resumeOrder();
      else this.#held.get(into)?.resume();
    });
  }

  #task(task: () => Promise<void>): void {
    this.#parts.platform.spawn('shard-replica', async () => {
      try {
        await task();
      } catch (error) {
        if (this.#stopped || isFlotillaError(error, 'FLOTILLA_STOPPED')) return;
        this.#parts.platform.log.error('a replica of a shard fails', { reason: messageOf(error) });
        this.#parts.failed(error);
      }
    });
  }
}
