import { assert, isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import {
  type Configuration,
  configurationOf,
  emptyConfiguration,
  type Group,
  type Host,
  membersOf,
  type NodeId,
  type RoleChange,
} from '@flotilla/raft';
import {
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
import { elect } from './first-election.ts';
import type { Claim } from './former-replicas.ts';
import { HeldReplica, type Opened } from './held-replica.ts';
import type { OpenMessage } from './node-messages.ts';
import type { ShardAnswers } from './shard-answers.ts';
import type { SpareReplicas } from './spare-replicas.ts';

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
  readonly spares: SpareReplicas;
  /** One whose shard is no more, as the order here says: drops it when others have all of it for good. */
  readonly letGo: (held: Claim, order: OrderMachine) => void;
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
      const replica = ShardReplica.open(this.#replicaParts, stored);
      if (parts.spares.isSpare(replica)) parts.spares.add(replica);
      else this.#hold(replica);
    }
  }

  get(shard: ShardId): HeldReplica | null {
    return this.#held.get(shard) ?? null;
  }

  get isEmpty(): boolean {
    return this.claims().next().done === true;
  }

  all(): Iterable<HeldReplica> {
    return this.#held.values();
  }

  /** Opens the groups of what was stored. */
  async open(): Promise<void> {
    const { host, store } = this.#parts;
    const removed = new Set(host.removedGroups);
    for (const shard of store.leftOver) {
      this.#leave(shard, async () => {
        await this.#parts.flush();
        await host.removeGroup(shard);
      });
    }
    // Others come before and while these are opened, and see to their groups themselves.
    const stored = [...this.#held.values()];
    for (const held of stored) {
      // It had left before the crash, and its rows were still to go.
      if (removed.has(held.shard)) this.#forget(held);
      else await this.#openGroup(held);
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

  /**
   * Opens a replica that waits for a snapshot. Throws what keeps it from coming. Answers how far others had come when one
   * was opened that has no state yet; null: it has one.
   */
  async openEmpty(message: OpenMessage): Promise<number | null> {
    await this.#openEmpty(message);
    const held = this.get(message.shard);
    return held === null || !held.replica.stateMissing ? null : held.openedAt;
  }

  async #openEmpty(message: OpenMessage): Promise<void> {
    const { shard, span } = message;
    const { host } = this.#parts;
    if (this.#held.has(shard)) return;
    await this.#leaving.get(shard);
    if (this.#parts.order()?.isGone(shard) === true) throw new Error(`shard ${shard} has ended`);
    this.#requireRoom(shard, span);
    if (host.removedGroups.includes(shard)) await this.#mayReturn(shard);
    if (this.#held.has(shard) || this.#stopped) return;
    const held = this.#hold(ShardReplica.empty(this.#replicaParts, shard), message);
    await this.#openGroup(held);
  }

  /** Some member, which may be behind, does not have this node in its configuration of `index`. */
  disowned(shard: ShardId, index: number): void {
    const held = this.#held.get(shard);
    if (held === undefined) return;
    // It is opened before it is a member: what it was sent meanwhile would be lost, and is never sent again.
    const isNew = held.openedAt > 0 && this.#parts.platform.now() - held.sinceMs < limits.membershipChangeMs;
    if (!isNew) this.dropped(shard, index);
  }

  /** This node was removed from the group by the entry at `index`. */
  dropped(shard: ShardId, index: number): void {
    const held = this.#held.get(shard);
    if (held === undefined || held.openedAt >= index) return;
    const { applied, configuration, stateMissing } = held.replica;
    const isMember = (one: Configuration): boolean => membersOf(one).includes(this.#parts.nodeId);
    // It has come back since.
    if (applied.index >= index && isMember(configuration)) return;
    // Without a state it has its log: who says so may be behind that.
    const status = held.group?.status();
    if (
      stateMissing &&
      (status === undefined || (status.lastIndex >= index && isMember(status.configuration)))
    ) {
      return;
    }
    this.drop(held);
  }

  /** The replica leaves this node for good. */
  drop(held: HeldReplica): void {
    if (!this.#detach(held)) return;
    this.#leave(held.shard, async () => {
      // A child of it, or the end of a neighbour, may not be stored yet: without its log nothing would make them again.
      await this.#parts.flush();
      await held.settled();
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
      const heir = state === null ? undefined : order.map.of([state.span])[0];
      const isHere = heir !== undefined && this.#heirHere(heir.shard) !== null;
      // Held for long, an heir gets all of it with a snapshot, which needs room: nobody can tell this one the rest.
      if (!isHere || this.#heldMs(heir.shard) > 2 * limits.heldPatienceMs)
        this.#parts.letGo(this.#claim(held), order);
    }
    for (const { replica, group } of this.#held.values()) {
      if (replica.waitsFor === null || group === null) continue;
      // A snapshot may have completed its neighbour, or left it as it was.
      group.resume();
      if ((group.status().held?.forMs ?? 0) > limits.heldPatienceMs) group.requestSnapshot();
    }
    const { spares } = this.#parts;
    spares.release();
    this.#task(() => spares.openOld());
  }

  /**
   * Those that the map says are here and are not: they were split off a neighbour that was gone from here by then, so
   * nothing here will become one of them. They get a snapshot.
   */
  async openMissing(order: OrderMachine): Promise<void> {
    const { host, nodeId } = this.#parts;
    for (const { shard, span, nodes } of order.map.rows) {
      if (shard === orderShard || !nodes.includes(nodeId)) continue;
      const isKnown = this.#held.has(shard) || this.#leaving.has(shard) || this.#parts.spares.has(shard);
      // What was removed here comes back when a leader has it come back.
      if (isKnown || host.removedGroups.includes(shard) || !this.#hasRoom(shard, span)) continue;
      await this.openEmpty({ shard, span, appliedIndex: firstIndex, orderIndex: order.index });
    }
  }

  /** Replicas that may be in the way of others. */
  *claims(): Generator<Claim> {
    for (const held of this.#held.values()) yield this.#claim(held);
    yield* this.#parts.spares.all();
  }

  #claim(held: HeldReplica): Claim {
    const { shard, bornBefore } = held;
    return {
      shard,
      bornBefore,
      isSpare: false,
      get span() {
        return held.state?.span ?? null;
      },
      get range() {
        return held.state?.epoch.range ?? null;
      },
      drop: () => this.drop(held),
    };
  }

  #heldMs(shard: ShardId): number {
    if (shard === orderShard) return this.#parts.orderHeldMs();
    return this.#held.get(shard)?.group?.status().held?.forMs ?? 0;
  }

  // What replicas tell in the middle of applying.

  applied(...[replica, applied]: Parameters<ReplicaObserver['applied']>): void {
    this.#parts.applied(replica, applied);
    this.#resumeHeir(replica);
  }

  spawned(child: ShardReplica, parent: ShardReplica): void {
    const leads = this.#held.get(parent.id)?.leads ?? false;
    this.#adopt(child, leads);
  }

  /** Shard 0 was split: its child begins on the nodes that the order names. */
  spawnedOfOrder(machine: ShardMachine, nodes: readonly number[]): void {
    const { host, nodeId, spares } = this.#parts;
    const child = ShardReplica.spawn(this.#replicaParts, machine, configurationOf(nodes));
    if (spares.isSpare(child) && !this.#isKnown(child.id) && !host.removedGroups.includes(child.id)) {
      spares.add(child);
    } else this.#adopt(child, nodes[0] === nodeId);
  }

  absorbed(_: ShardReplica, drained: ShardReplica, flushed: Promise<void>): void {
    const held = this.#held.get(drained.id);
    if (held === undefined || !this.#detach(held)) return;
    this.#leave(drained.id, async () => {
      // Until then a crash brings it back, and it needs its log to drain once more.
      await flushed;
      await held.settled();
      await this.#parts.host.removeGroup(drained.id);
    });
  }

  /** Shard 0 has taken it over, with the entry that is applied now. */
  takenByOrder(shard: ShardId): void {
    const held = this.#held.get(shard);
    if (held === undefined || !this.#detach(held)) return;
    const flushed = held.replica.takenByOrder();
    this.#leave(shard, async () => {
      await flushed;
      await held.settled();
      await this.#parts.host.removeGroup(shard);
    });
  }

  restored(replica: ShardReplica): void {
    const held = this.#held.get(replica.id);
    if (held === undefined) return;
    held.answers.restored(replica.machine);
    this.#resumeHeir(replica);
    this.#parts.changed();
  }

  // Groups.

  #hold(replica: ShardReplica, opened?: Opened): HeldReplica {
    assert(!this.#held.has(replica.id), 'a node has one replica of a shard');
    const held = new HeldReplica(replica, this.#parts.answers(replica), this.#parts.platform.now(), opened);
    this.#held.set(replica.id, held);
    return held;
  }

  #adopt(child: ShardReplica, campaigns: boolean): void {
    const { host, nodeId } = this.#parts;
    const takesPart = child.initialConfiguration.voters.includes(nodeId);
    if (this.#isKnown(child.id) || !takesPart || host.removedGroups.includes(child.id)) {
      this.#task(() => child.remove());
      return;
    }
    const held = this.#hold(child);
    this.#task(async () => {
      await this.#openGroup(held);
      if (campaigns) await elect(this.#parts.platform, () => (this.#stopped ? null : held.group));
      this.#parts.changed();
    });
  }

  #isKnown(shard: ShardId): boolean {
    return this.#held.has(shard) || this.#leaving.has(shard);
  }

  async #openGroup(held: HeldReplica): Promise<void> {
    // It may have gone before its turn came.
    if (this.#held.get(held.shard) === held) await held.open(() => this.#opened(held));
  }

  async #opened(held: HeldReplica): Promise<void> {
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
    // Not in the middle of an entry.
    const left = Promise.resolve()
      .then(leave)
      .finally(() => {
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
   * A group that was removed here can be opened again, as soon as no state of this node's store that a crash may bring back
   * knows of it.
   */
  async #mayReturn(shard: ShardId): Promise<void> {
    await this.#parts.flush();
    await this.#parts.host.readmitGroup(shard);
  }

  /** What was promised in groups that are over concerns nobody: they are never opened again. */
  async forgetEnded(order: OrderMachine): Promise<void> {
    const { host, flush } = this.#parts;
    const ended = host.removedGroups.filter((shard) => order.isGone(shard) && !this.#leaving.has(shard));
    if (ended.length === 0) return;
    // The order that says so included.
    await flush();
    for (const shard of ended) await host.forgetGroup(shard);
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
    return this.#parts.spares.inTheWay(span);
  }

  #heirHere(shard: ShardId): ShardMachine | null {
    if (shard === orderShard) return this.#parts.order()?.own ?? null;
    return this.#held.get(shard)?.state ?? null;
  }

  /** Who is to take it over may have waited for this. */
  #resumeHeir(replica: ShardReplica): void {
    if (!replica.isReady || replica.machine.barrier?.kind !== 'merge') return;
    const { into } = replica.machine.barrier;
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
