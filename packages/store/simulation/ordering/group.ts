import { assert } from '@flotilla/platform';
import { noAnswer } from '../../src/apply-result.ts';
import type { LogPosition } from '../../src/mvcc/meta.ts';
import type { OrderEffect, OrderEntry } from '../../src/order/order-entry.ts';
import { OrderMachine } from '../../src/order/order-machine.ts';
import { PartMap } from '../../src/order/order-parts.ts';
import type { RequestOrigin } from '../../src/shard/request-memory.ts';
import { orderShard, type ShardEffect, type ShardEntry, type ShardId } from '../../src/shard/shard-entry.ts';
import { type ShardBounds, ShardMachine } from '../../src/shard/shard-machine.ts';
import { type MemoryShardStore, SimulatedAccess } from './memory-shard-store.ts';
import type { OrderingNode } from './node.ts';
import type { OrderingWorld } from './world.ts';

/** A change of users, which the order group's log has beside the order's own entries. */
export interface UsersEntry {
  readonly kind: 'users';
  readonly origin: RequestOrigin;
  readonly change: Uint8Array;
}

export type GroupEntry = ShardEntry | OrderEntry | UsersEntry;
/** A request of the order group itself. */
export type AdministerEntry = (OrderEntry | UsersEntry) & { readonly origin: RequestOrigin };

interface LogEntry {
  readonly term: number;
  /** Null: what a new leader begins its term with. */
  readonly entry: GroupEntry | null;
  /** Not null: the members from here on. */
  readonly members: readonly OrderingNode[] | null;
}

/** The state of a replica as of an index, in bytes but for the versions of its keys. */
export interface ReplicaImage {
  readonly applied: number;
  readonly bytes: Uint8Array;
  readonly store: MemoryShardStore;
}

export interface GroupObserver {
  applied(
    replica: Replica,
    entry: GroupEntry | null,
    term: number,
    effects: readonly (ShardEffect | OrderEffect)[],
  ): void;
  /** A neighbour that has drained, on this node or from elsewhere; null: not yet. */
  drained(replica: Replica, shard: ShardId, upTo: number): ShardMachine | null;
}

/**
 * A Raft group, reduced to what the ordering may rely on: a durable log in one order. When the leader changes, a part of
 * what the old one had proposed survives, from its beginning, and is committed before anything new; the rest is lost;
 * and the new leader has applied all of that before it serves.
 */
export class Group {
  readonly id: ShardId;
  readonly world: OrderingWorld;
  readonly observer: GroupObserver;
  readonly bounds: ShardBounds;
  readonly log: LogEntry[] = [];
  readonly replicas = new Map<OrderingNode, Replica>();
  members: readonly OrderingNode[];
  term = 0;
  leader: OrderingNode | null = null;
  #pending: LogEntry[] = [];
  #commitDue = false;

  constructor(
    world: OrderingWorld,
    observer: GroupObserver,
    id: ShardId,
    members: readonly OrderingNode[],
    bounds: ShardBounds,
  ) {
    this.world = world;
    this.observer = observer;
    this.id = id;
    this.members = members;
    this.bounds = bounds;
  }

  get isOrder(): boolean {
    return this.id === orderShard;
  }

  add(node: OrderingNode, machine: OrderMachine | ShardMachine, applied: number): Replica {
    const replica = new Replica(this, node, machine, applied);
    this.replicas.set(node, replica);
    node.replicas.set(this.id, replica);
    replica.schedule();
    return replica;
  }

  remove(node: OrderingNode): void {
    this.replicas.delete(node);
    node.replicas.delete(this.id);
    if (this.leader === node) this.leader = null;
  }

  elect(node: OrderingNode): void {
    const survivors = this.#pending.slice(0, this.world.below(this.#pending.length + 1, 'survivors'));
    this.term += 1;
    this.leader = node;
    this.#pending = [...survivors, { term: this.term, entry: null, members: null }];
    this.#scheduleCommit();
  }

  /** Nothing comes of it when this node does not lead in that term any more. */
  propose(
    node: OrderingNode,
    term: number,
    entry: GroupEntry,
    members: readonly OrderingNode[] | null = null,
  ): boolean {
    if (this.leader !== node || this.term !== term || !node.up) return false;
    this.#pending.push({ term, entry, members });
    this.#scheduleCommit();
    return true;
  }

  #scheduleCommit(): void {
    if (this.#commitDue) return;
    this.#commitDue = true;
    const isSlow = !this.world.healed && this.world.chance(4, 'slow commit');
    this.world.at(this.world.between(0.5, isSlow ? 25 : 3, 'commit'), () => this.#commit());
  }

  #commit(): void {
    this.#commitDue = false;
    if (this.#pending.length === 0) return;
    if (this.leader === null || !this.leader.up) return;
    const count = 1 + this.world.below(this.#pending.length, 'batch');
    for (const logged of this.#pending.splice(0, count)) {
      this.log.push(logged);
      if (logged.members !== null) this.members = logged.members;
    }
    if (this.#pending.length > 0) this.#scheduleCommit();
    for (const replica of this.replicas.values()) replica.schedule();
  }
}

export class Replica {
  readonly group: Group;
  readonly node: OrderingNode;
  machine: OrderMachine | ShardMachine;
  applied: number;
  /** Since when it waits for a neighbour. */
  blockedSince: number | null = null;
  /** Of an order: its records, as they were written down. */
  #written: PartMap | null = null;
  #scheduled = false;
  #lagUntil = 0;

  constructor(group: Group, node: OrderingNode, machine: OrderMachine | ShardMachine, applied: number) {
    this.group = group;
    this.node = node;
    this.machine = machine;
    this.applied = applied;
  }

  get isCurrent(): boolean {
    return this.node.up && this.node.replicas.get(this.group.id) === this;
  }

  get order(): OrderMachine {
    assert(this.machine instanceof OrderMachine, 'a replica of the order group');
    return this.machine;
  }

  /** Of the group's keys. */
  get shard(): ShardMachine {
    return this.machine instanceof OrderMachine ? this.machine.own : this.machine;
  }

  schedule(): void {
    const { world, log, leader } = this.group;
    if (this.#scheduled || this.applied >= log.length) return;
    this.#scheduled = true;
    const leads = leader === this.node;
    if (!world.healed && !leads && world.chance(2, 'lag')) {
      this.#lagUntil = world.now + world.between(20, 150, 'lag ms');
    }
    const lag = Math.max(0, this.#lagUntil - world.now);
    const isQuick = world.healed || leads;
    world.at(isQuick ? world.between(0, 1, 'apply') : world.between(0, 10, 'apply') + lag, () => {
      this.#scheduled = false;
      if (!this.isCurrent) return;
      const few = this.applied + 1 + world.below(6, 'apply some');
      this.applyThrough(leads ? log.length : Math.min(log.length, few));
      if (this.blockedSince === null) this.schedule();
      else world.at(4, () => this.schedule());
    });
  }

  /** False: it waits for a neighbour before that. */
  applyThrough(index: number): boolean {
    const { log, observer, world } = this.group;
    while (this.applied < index) {
      const { entry, term } = log[this.applied] as LogEntry;
      const needs = entry === null ? null : this.#needs(entry);
      const drained = needs === null ? null : observer.drained(this, needs.drained, needs.upTo);
      // While it was looked for, a snapshot may have come instead.
      if (!this.isCurrent) return false;
      if (needs !== null && drained === null) {
        this.blockedSince ??= world.now;
        return false;
      }
      this.blockedSince = null;
      this.applied += 1;
      const effects = entry === null ? [] : this.#apply(entry, term, drained);
      observer.applied(this, entry, term, effects);
      if (!this.isCurrent) return false;
    }
    return true;
  }

  image(): ReplicaImage {
    const store = this.shard.store as MemoryShardStore;
    return { applied: this.applied, bytes: this.#bytes(), store: store.fork() };
  }

  /** Of the order: what has changed since the last time, over what was there, as a storage has it. */
  #bytes(): Uint8Array {
    if (!(this.machine instanceof OrderMachine)) return this.machine.encode();
    if (this.#written === null) this.machine.flush((this.#written = new PartMap()).write, true);
    this.machine.flush(this.#written.write);
    return this.#written.joined;
  }

  #needs(entry: GroupEntry): { readonly drained: ShardId; readonly upTo: number } | null {
    if (this.machine instanceof OrderMachine) {
      return entry.kind === 'users' ? null : this.machine.needs(entry as OrderEntry);
    }
    return this.machine.needs(entry as ShardEntry);
  }

  #apply(
    entry: GroupEntry,
    term: number,
    drained: ShardMachine | null,
  ): readonly (ShardEffect | OrderEffect)[] {
    const index = this.applied;
    if (this.machine instanceof OrderMachine) {
      if (entry.kind === 'users') return changeUsers(this.machine, entry, { index, term });
      return this.machine.apply(entry as OrderEntry, { index, term }, drained);
    }
    return this.machine.apply(entry as ShardEntry, index, drained);
  }
}

function changeUsers(
  machine: OrderMachine,
  { origin, change }: UsersEntry,
  position: LogPosition,
): OrderEffect[] {
  let known: OrderEffect | null = null;
  const effects = machine.tell(position, () => {
    const recalled = machine.recall(origin);
    if (recalled === 'new') return { change, origin, result: noAnswer };
    if (recalled === 'finished') known = { kind: 'refused', origin, reason: 'finished' };
    else if (recalled === 'expired') known = { kind: 'refused', origin, reason: 'session-expired' };
    else if (recalled.kind !== 'committed') known = { kind: 'outcome', origin, outcome: recalled };
    return { change: null, origin: null, result: null };
  });
  return known === null ? effects : [...effects, known];
}

/** The machine that an image holds. The image can be used again. */
export function restored(group: Group, image: ReplicaImage): OrderMachine | ShardMachine {
  const store = image.store.fork();
  const machine = decoded(group, image, store);
  const { mayCompact, compactRevision } = machine instanceof OrderMachine ? machine.own : machine;
  if (compactRevision < 0 || !mayCompact) return machine;
  // What nobody may read is really gone.
  const compacted = image.store.fork();
  compacted.narrow(everything);
  return decoded(group, image, compacted);
}

const everything = { from: new Uint8Array(0), to: null };

function decoded(
  { isOrder, bounds }: Group,
  { bytes }: ReplicaImage,
  store: MemoryShardStore,
): OrderMachine | ShardMachine {
  const access = (encoded: Uint8Array): SimulatedAccess => SimulatedAccess.decode(encoded);
  if (isOrder) return OrderMachine.decode(bytes, { store, access, bounds });
  return ShardMachine.decode(bytes, store, access, null, bounds);
}
