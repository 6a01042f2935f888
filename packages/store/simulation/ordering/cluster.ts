import { assert } from '@flotilla/platform';
import type { TxnResponse } from '@flotilla/wire';
import type { ApplyResult } from '../../src/apply-result.ts';
import type { RequestUser } from '../../src/proposal.ts';
import type { OrderEffect } from '../../src/order/order-entry.ts';
import { OrderMachine } from '../../src/order/order-machine.ts';
import type { ShardRow } from '../../src/order/shard-map.ts';
import { fragmentOf } from '../../src/shard/fragment.ts';
import { joinParts } from '../../src/shard/join.ts';
import { intersection, type KeySpan, overlaps } from '../../src/shard/key-span.ts';
import type { CommittedOutcome, RequestOrigin } from '../../src/shard/request-memory.ts';
import {
  orderShard,
  type PrepareEntry,
  type RangeChange,
  type RequestEntry,
  type ShardEffect,
  type ShardEntry,
  type ShardId,
  type Vote,
} from '../../src/shard/shard-entry.ts';
import { type ShardBounds, ShardMachine } from '../../src/shard/shard-machine.ts';
import type { ShardAnswer } from '../../src/shard/shard-leader.ts';
import { asTxn, footprintOf, type WriteRequest } from '../../src/shard/write-request.ts';
import {
  type AdministerEntry,
  Group,
  type GroupEntry,
  type GroupObserver,
  type Replica,
  restored,
} from './group.ts';
import { keys } from './keys.ts';
import { Lead, type Reply } from './lead.ts';
import { MemoryShardStore, SimulatedAccess } from './memory-shard-store.ts';
import { OrderingNode } from './node.ts';
import { Witness } from './witness.ts';
import type { OrderingWorld } from './world.ts';

const tickMs = 7;
const nodeCount = 4;
/** Voters of the order group: these nodes. All others follow it. */
const orderVoters = 3;
const factRetryRoundsMax = 30;

/** A request as it comes to a node. */
export interface Call {
  readonly origin: RequestOrigin;
  readonly user: RequestUser | null;
  readonly write: WriteRequest;
}

export type ClientReply =
  | { readonly kind: 'answer'; readonly answer: ShardAnswer }
  | { readonly kind: 'finished' }
  /** Nothing was done by this one; it may come again. */
  | { readonly kind: 'retry' };

/** Where the order was when it was asked for. */
export interface Fetched {
  readonly index: number;
  readonly revision: number;
}

/** Nodes with their replicas, and what leaders, coordinators and readers do on them. */
export class Cluster implements GroupObserver {
  readonly world: OrderingWorld;
  readonly witness: Witness;
  readonly nodes: readonly OrderingNode[];
  readonly groups = new Map<ShardId, Group>();
  readonly bounds: ShardBounds;
  /** Sessions that wait to be told their number, at whatever order leader opens them. */
  readonly #openings = new Map<string, (session: number) => void>();

  constructor(world: OrderingWorld) {
    this.world = world;
    this.witness = new Witness(world);
    this.nodes = Array.from({ length: nodeCount }, (_, id) => new OrderingNode(id));
    const isTight = world.chance(12, 'tight bounds');
    this.bounds = isTight
      ? { overlayBytes: 900, waitingEntries: 2, preparedTransactions: 1, heldBytes: 60 }
      : { overlayBytes: 1_000_000, waitingEntries: 1_000, preparedTransactions: 100, heldBytes: 1_000_000 };
    this.#build();
    for (const node of this.nodes) world.every(tickMs, 'tick', () => this.#tick(node));
  }

  get orderGroup(): Group {
    return this.groups.get(orderShard) as Group;
  }

  #build(): void {
    const { world } = this;
    const count = 1 + world.below(4, 'shards');
    const cuts = new Set<number>();
    for (let i = 1; i < count; i += 1) cuts.add(1 + world.below(keys.length - 1, 'cut'));
    const starts = [0, ...[...cuts].sort((a, b) => a - b)];
    const rows = starts.map((start, shard): ShardRow => {
      const next = starts[shard + 1];
      const from = start === 0 ? new Uint8Array(0) : (keys[start] as Uint8Array);
      const span: KeySpan = { from, to: next === undefined ? null : (keys[next] as Uint8Array) };
      const nodes = shard === 0 ? this.nodes.map(({ id }) => id) : this.#threeNodes().map(({ id }) => id);
      return { shard, span, range: 1, membership: 1, nodes };
    });
    const order = new Group(world, this, orderShard, this.nodes, this.bounds);
    this.groups.set(orderShard, order);
    for (const node of this.nodes) {
      const nodes = this.nodes.map(({ id }) => ({ node: id, zone: '', labels: [] }));
      const parts = { store: new MemoryShardStore(), access: new SimulatedAccess(), nodes, rows };
      order.add(node, new OrderMachine({ ...parts, bounds: this.bounds }), 0);
    }
    for (const row of rows) if (row.shard !== orderShard) this.#found(row);
    for (const node of this.nodes) node.takeImage();
    for (const group of this.groups.values())
      this.elect(group, world.pick(this.#voters(group), 'first leader'));
  }

  #found({ shard, span, nodes }: ShardRow): void {
    const members = nodes.map((id) => this.nodes[id] as OrderingNode);
    const group = new Group(this.world, this, shard, members, this.bounds);
    this.groups.set(shard, group);
    for (const node of members) {
      const store = new MemoryShardStore();
      const epoch = { membership: 1, range: 1 };
      const parts = { shard, span, epoch, store, access: new SimulatedAccess(), order: null };
      group.add(node, new ShardMachine({ ...parts, bounds: this.bounds }), 0);
    }
  }

  #threeNodes(): OrderingNode[] {
    const left = this.world.below(nodeCount, 'three nodes');
    return this.nodes.filter(({ id }) => id !== (left + 3) % nodeCount);
  }

  // Leadership.

  #voters(group: Group): OrderingNode[] {
    return [...group.replicas.keys()].filter(
      (node) => node.up && (group.isOrder ? node.id < orderVoters : group.members.includes(node)),
    );
  }

  elect(group: Group, node: OrderingNode): void {
    const { world } = this;
    const old = group.leader === null ? undefined : group.leader.leads.get(group.id);
    world.coverage.count('election');
    group.elect(node);
    if (old !== undefined && old.node !== node) {
      // It does not know yet.
      world.at(world.between(0, 40, 'deposed'), () => {
        if (old.node.leads.get(group.id) === old) old.node.leads.delete(group.id);
      });
    }
    node.leads.set(group.id, new Lead(group, node, group.term));
  }

  electAnybody(group: Group): void {
    const voters = this.#voters(group);
    if (voters.length > 0) this.elect(group, this.world.pick(voters, 'leader'));
  }

  leadOf(id: ShardId): Lead | null {
    const group = this.groups.get(id);
    const lead = group?.leader?.leads.get(id);
    if (group === undefined || lead === undefined) return null;
    return lead.term === group.term && lead.isCurrent && lead.ready ? lead : null;
  }

  /** To whoever is taken for the leader; rightly or not, it acts if it thinks so too. */
  toLeader(id: ShardId, act: (lead: Lead) => void): void {
    const group = this.groups.get(id);
    if (group === undefined || group.replicas.size === 0) return;
    const isWrong = !this.world.healed && this.world.chance(10, 'wrong leader');
    const to = isWrong ? this.world.pick([...group.replicas.keys()], 'whom') : group.leader;
    if (to === null) return;
    this.world.send(to, () => {
      const lead = to.leads.get(id);
      if (lead !== undefined && lead.ready && lead.isCurrent) act(lead);
    });
  }

  propose(lead: Lead, entry: GroupEntry, members: readonly OrderingNode[] | null = null): boolean {
    return lead.group.propose(lead.node, lead.term, entry, members);
  }

  proposeShard(lead: Lead, entry: ShardEntry): boolean {
    return this.propose(lead, lead.group.isOrder ? { kind: 'own', entry } : entry);
  }

  /** ReadIndex: a quorum still follows it, and it has applied everything that is committed. */
  #isRightful(lead: Lead): boolean {
    const { group, node, term } = lead;
    if (group.leader !== node || group.term !== term || !lead.ready) return false;
    return lead.replica.applyThrough(group.log.length);
  }

  /** Asks until somebody answers, in this life of the node. */
  frontier(node: OrderingNode, then: (fetched: Fetched) => void): void {
    const { world } = this;
    const { incarnation } = node;
    const viaFollower = world.chance(30, 'frontier of a follower');
    let done = false;
    const isOver = (): boolean => done || world.ended || !node.up || node.incarnation !== incarnation;
    const answer = (fetched: Fetched): void => {
      if (isOver()) return;
      if (viaFollower) {
        // Its own order has come as far, or farther.
        const wait = (): void => {
          if (isOver()) return;
          const { index, frontier } = node.order;
          if (index < fetched.index) return world.at(2, wait);
          done = true;
          then({ index, revision: frontier });
        };
        wait();
        return;
      }
      done = true;
      then(fetched);
    };
    const ask = (): void => {
      if (isOver()) return;
      this.toLeader(orderShard, (lead) => {
        if (!this.#isRightful(lead)) return;
        const { index, frontier } = lead.replica.order;
        world.send(node, () => answer({ index, revision: frontier }));
      });
      world.at(12, ask);
    };
    ask();
  }

  // What was applied.

  applied(
    replica: Replica,
    entry: GroupEntry | null,
    term: number,
    effects: readonly (ShardEffect | OrderEffect)[],
  ): void {
    const { node, group } = replica;
    const lead = node.leads.get(group.id);
    if (entry === null && lead !== undefined && lead.term === term) this.#begin(lead);
    const acting = lead?.ready === true ? lead : null;
    if (entry !== null && entry.kind === 'expire') this.witness.expired(replica, entry.leases, effects);
    for (const effect of effects) {
      if (effect.kind === 'shard') this.#shardEffect(replica, acting, effect.effect);
      else if (group.isOrder) this.#orderEffect(replica, acting, effect as OrderEffect);
      else this.#shardEffect(replica, acting, effect as ShardEffect);
    }
    this.witness.applied(replica);
    if (group.isOrder) for (const other of node.leads.values()) this.#answerReady(other);
    else if (acting !== null) this.#answerReady(acting);
  }

  #begin(lead: Lead): void {
    lead.ready = true;
    if (!lead.group.isOrder) return;
    // Nobody knows better how much of their time is left.
    for (const { lease, remaining } of lead.replica.order.leases.all()) {
      lead.deadlines.set(lease, this.world.now + remaining);
    }
  }

  #shardEffect(replica: Replica, lead: Lead | null, effect: ShardEffect): void {
    const { world, witness } = this;
    switch (effect.kind) {
      case 'outcome': {
        if (!effect.known) witness.outcome(replica, effect.origin, effect.outcome);
        if (lead === null) return;
        const answer = lead.answers.outcome(lead.shard, effect.origin, effect.outcome);
        if (answer === null) return;
        if ('transaction' in answer) lead.reply(effect.origin, { kind: 'part', outcome: answer });
        else lead.reply(effect.origin, { kind: 'answer', answer });
        return;
      }
      case 'numbered':
        witness.numbered(replica, effect.origin, effect.revision);
        return;
      case 'refused':
        world.coverage.count(`refused: ${effect.reason}`);
        lead?.reply(effect.origin, { kind: 'refused', reason: effect.reason });
        return;
      case 'vote':
        if (lead !== null) this.#sendVote(effect.vote);
        return;
      case 'frontier-wanted':
        world.coverage.count('frontier wanted');
        return;
      case 'waits':
        world.coverage.count(`waits for a ${effect.why}`);
        return;
      case 'split':
        this.#spawn(replica, effect.child);
        return;
      case 'absorbed':
        world.coverage.count('absorbed');
        return;
      default:
        effect satisfies never;
    }
  }

  #orderEffect(replica: Replica, lead: Lead | null, effect: OrderEffect): void {
    const { witness, world } = this;
    switch (effect.kind) {
      case 'shard':
        return;
      case 'decided':
        witness.decided(effect.decision);
        return;
      case 'outcome':
        if (lead !== null) this.#orderOutcome(lead, effect.origin, effect.outcome);
        return;
      case 'refused':
        lead?.reply(effect.origin, { kind: 'refused', reason: effect.reason });
        return;
      case 'session-opened':
        if (lead !== null) this.#openings.get(effect.name)?.(effect.session);
        return;
      case 'lease-renewed': {
        const ttl = replica.order.leases.get(effect.lease)?.ttl;
        if (ttl !== undefined) lead?.deadlines.set(effect.lease, world.now + ttl);
        witness.leaseRenewed(effect.lease, effect.generation, replica.order.frontier, ttl ?? 0);
        return;
      }
      case 'lease-checkpointed':
        world.coverage.count('lease checkpointed');
        return;
      case 'begun':
      case 'configured':
      case 'configuration-refused':
      case 'session-refused':
        world.coverage.count(effect.kind);
        return;
      case 'lease-removed':
        lead?.deadlines.delete(effect.lease);
        witness.leaseRemoved(replica, effect.lease, effect.revision);
        return;
      default:
        effect satisfies never;
    }
  }

  #orderOutcome(
    lead: Lead,
    origin: RequestOrigin,
    outcome: {
      readonly result: ApplyResult;
      readonly revision?: number | null;
      readonly bound?: number | null;
    },
  ): void {
    const revision = outcome.revision ?? outcome.bound ?? 0;
    const answer: ShardAnswer = { origin, result: outcome.result, revision, effective: false };
    lead.spreading.push({ origin, answer, index: lead.replica.order.index });
    this.#answerReady(lead);
  }

  #answerReady(lead: Lead): void {
    if (!lead.isCurrent || !lead.ready) return;
    if (lead.group.isOrder) {
      const { spreading, replica } = lead;
      for (let i = spreading.length - 1; i >= 0; i -= 1) {
        const { origin, answer, index } = spreading[i] as (typeof spreading)[number];
        // Users and compaction: every shard must have heard of it.
        if (!replica.order.isEverywhere(index)) continue;
        spreading.splice(i, 1);
        lead.reply(origin, { kind: 'answer', answer });
      }
      return;
    }
    for (const answer of lead.answers.ready(lead.shard, lead.node.order)) {
      lead.reply(answer.origin, { kind: 'answer', answer });
    }
  }

  // Replicas that come and go.

  /** A child's replica begins where its parent's on the same node was split. */
  #spawn(parent: Replica, machine: ShardMachine): void {
    const { node } = parent;
    let group = this.groups.get(machine.shard);
    if (group === undefined) {
      const { nodes } = node.order.map.row(machine.shard) ?? { nodes: [] };
      const members = parent.group.isOrder
        ? nodes.map((id) => this.nodes[id] as OrderingNode)
        : parent.group.members;
      group = new Group(this.world, this, machine.shard, members, this.bounds);
      this.groups.set(machine.shard, group);
      this.world.coverage.count('split');
    }
    if (!group.members.includes(node) || group.replicas.has(node) || group.log.length > 400) return;
    group.add(node, machine, 0);
    if (group.leader === null) this.electAnybody(group);
  }

  drained(replica: Replica, shard: ShardId, upTo: number): ShardMachine | null {
    const group = this.groups.get(shard);
    const { node } = replica;
    const local = group?.replicas.get(node);
    if (group !== undefined && local !== undefined) {
      local.applyThrough(group.log.length);
      if (!local.shard.isComplete(upTo)) return this.#fetchMerged(replica, group, upTo);
      // The store of the node has the keys, and they change hands.
      group.remove(node);
      this.world.coverage.count('absorbed a neighbour of this node');
      return local.shard;
    }
    return this.#fetchMerged(replica, group, upTo);
  }

  /** From another node: what drained, or the whole of what it has become part of. */
  #fetchMerged(replica: Replica, group: Group | undefined, upTo: number): ShardMachine | null {
    const { world } = this;
    if (replica.blockedSince === null || world.now - replica.blockedSince < 30) return null;
    for (const other of group?.replicas.values() ?? []) {
      if (!other.node.up || !other.shard.isComplete(upTo)) continue;
      world.coverage.count('absorbed a neighbour of another node');
      group?.remove(replica.node);
      return restored(other.group, other.image()) as ShardMachine;
    }
    for (const other of replica.group.replicas.values()) {
      if (!other.node.up || other.applied <= replica.applied) continue;
      const { node, group: survivors } = replica;
      world.coverage.count('got a snapshot from behind a merge');
      group?.remove(node);
      survivors.add(node, restored(survivors, other.image()), other.applied);
      this.#makeRoom(node, survivors.replicas.get(node) as Replica);
      // Who leads has everything; so it led no more.
      node.leads.delete(survivors.id);
      if (survivors.leader === node) this.electAnybody(survivors);
      return null;
    }
    return null;
  }

  /** Members that have no replica get one, and replicas of nodes that are no members go. */
  #repair(lead: Lead): void {
    const { group, replica } = lead;
    for (const other of group.replicas.keys()) {
      if (group.isOrder || group.members.includes(other) || !other.up || other === lead.node) continue;
      if (this.world.chance(40, 'remove replica')) group.remove(other);
    }
    for (const node of group.members) {
      if (group.replicas.has(node) || !node.up) continue;
      if (!this.#hasRoom(node, replica)) continue;
      this.world.coverage.count('snapshot to another node');
      group.add(node, restored(group, replica.image()), replica.applied);
    }
  }

  /** Where another replica of the node has some of the keys it must change first: one store has each key once. */
  #hasRoom(node: OrderingNode, coming: Replica): boolean {
    const { order } = coming.node;
    for (const other of node.replicas.values()) {
      if (other.group === coming.group || !overlaps(other.shard.span, coming.shard.span)) continue;
      if (other.shard.life === 'retired') continue;
      if (!order.isGone(other.group.id)) return false;
    }
    this.#makeRoom(node, coming);
    return true;
  }

  #makeRoom(node: OrderingNode, coming: Replica): void {
    const { order } = coming.node;
    for (const other of node.replicas.values()) {
      if (other === coming || !order.isGone(other.group.id)) continue;
      if (overlaps(other.shard.span, coming.shard.span)) other.group.remove(node);
    }
  }

  // Leaders, now and then.

  #tick(node: OrderingNode): void {
    if (!node.up) return;
    const { world } = this;
    if (world.chance(10, 'route')) node.route = node.order.map;
    const report: { readonly shard: ShardId; readonly seq: number; readonly ordered: number }[] = [];
    for (const lead of node.leads.values()) {
      if (!lead.ready || !lead.isCurrent) continue;
      const { shard, group } = lead;
      if (!group.isOrder) {
        report.push({ shard: group.id, seq: shard.seq, ordered: shard.ordered });
        for (const fact of lead.answers.facts(shard, node.order, world.now)) {
          this.proposeShard(lead, { kind: 'ordered', fact });
        }
        this.#askFrontier(lead);
      }
      for (const vote of shard.votes()) this.#sendVote(vote);
      if (shard.barrier !== null && shard.isDrained) this.#proposeRange(shard.barrier, shard.epoch.range);
      this.#reportMembers(lead);
      this.#repair(lead);
      if (group.isOrder) this.#orderTick(lead);
    }
    if (report.length > 0) this.#report(report);
  }

  #report(
    rows: readonly { readonly shard: ShardId; readonly seq: number; readonly ordered: number }[],
  ): void {
    this.toLeader(orderShard, (lead) => {
      for (const { shard, seq, ordered } of rows) lead.ordering.report(shard, seq, ordered);
      this.#cut(lead);
    });
  }

  #sendVote(vote: Vote): void {
    this.toLeader(orderShard, (lead) => {
      lead.ordering.vote(lead.replica.order, vote, this.world.now);
      this.#cut(lead);
    });
  }

  #askFrontier(lead: Lead): void {
    const { answers, shard, node } = lead;
    const entry = answers.frontierEntry(shard, node.order);
    if (entry !== null) this.proposeShard(lead, entry);
    this.#answerReady(lead);
    const tell = answers.ask(shard);
    if (tell === null) return;
    this.frontier(node, (fetched) => {
      tell(fetched);
      this.#answerReady(lead);
    });
  }

  #proposeRange(change: RangeChange, range: number): void {
    const nodes = change.shard === orderShard ? this.#threeNodes().map(({ id }) => id) : [];
    this.toLeader(orderShard, (lead) => this.propose(lead, { kind: 'range', change, range, nodes }));
  }

  #reportMembers(lead: Lead): void {
    const { group, shard, node } = lead;
    const row = node.order.map.row(group.id);
    if (row === null || row.membership >= shard.epoch.membership || group.isOrder) return;
    const { membership } = shard.epoch;
    const nodes = group.members.map(({ id }) => id);
    this.toLeader(orderShard, (order) =>
      this.propose(order, { kind: 'members', shard: group.id, membership, nodes }),
    );
  }

  #cut(lead: Lead): void {
    const { world } = this;
    if (world.now - lead.lastCutMs < 1.5) {
      if (lead.cutDue) return;
      lead.cutDue = true;
      world.at(2, () => {
        lead.cutDue = false;
        if (lead.isCurrent) this.#cut(lead);
      });
      return;
    }
    lead.lastCutMs = world.now;
    const cut = lead.ordering.cut(lead.replica.order, world.now);
    if (cut !== null) this.propose(lead, cut);
  }

  #orderTick(lead: Lead): void {
    this.#cut(lead);
    const { order } = lead.replica;
    for (const { shard, entry } of lead.ordering.revocations(order, this.world.now)) {
      this.toLeader(shard, (other) => this.proposeShard(other, entry));
    }
    for (const { lease, generation, life } of order.leases.all()) {
      const deadline = lead.deadlines.get(lease);
      if (life !== 'live' || deadline === undefined || deadline > this.world.now || this.world.settling)
        continue;
      this.propose(lead, { kind: 'expire', leases: [{ lease, generation }], term: lead.term });
    }
    this.#checkpointLeases(lead);
    this.#answerReady(lead);
  }

  /** What is left of them, so that elections give no lease more time than it has lost. */
  #checkpointLeases(lead: Lead): void {
    const { world } = this;
    if (world.settling || !world.chance(8, 'checkpoint')) return;
    const leases: { lease: bigint; generation: number; remaining: number }[] = [];
    for (const { lease, generation, life } of lead.replica.order.leases.all()) {
      const deadline = lead.deadlines.get(lease);
      if (life !== 'live' || deadline === undefined) continue;
      leases.push({ lease, generation, remaining: Math.ceil(Math.max(0, deadline - world.now)) });
    }
    if (leases.length > 0) this.propose(lead, { kind: 'checkpoint', leases });
  }

  // Requests.

  /** Any node takes any request. */
  write(node: OrderingNode, call: Call, reply: (reply: ClientReply) => void): void {
    const { spans, filtersOwn } = footprintOf(call.write);
    const map = this.#route(node);
    const rows = map.of(spans);
    const answer = (message: ClientReply): void => this.world.send(node, () => reply(message));
    if (rows.length > 1 || (filtersOwn && rows[0]?.shard !== orderShard)) {
      this.#coordinate(node, call, answer);
      return;
    }
    // One that touches no key is as good anywhere.
    const row = rows[0] ?? map.rows[0];
    assert(row !== undefined, 'there is a shard');
    const entry: RequestEntry = { kind: 'request', ...call, range: row.range, absent: [] };
    this.toLeader(row.shard, (lead) => {
      lead.wait(keyOf(call.origin), (message) => answer(this.#clientReply(call, message)));
      this.#propose(lead, entry);
    });
  }

  /** Routes may be stale. */
  #route(node: OrderingNode): OrderMachine['map'] {
    const isStale = !this.world.healed && node.route !== null && this.world.chance(15, 'stale route');
    return isStale ? (node.route as OrderMachine['map']) : node.order.map;
  }

  /** What a leader's answer means for a client whose request one shard took: it may have been several, before a merge. */
  #clientReply({ write }: Call, message: Reply): ClientReply {
    switch (message.kind) {
      case 'answer':
        return message;
      case 'refused':
        return message.reason === 'finished' || message.reason === 'session-expired'
          ? { kind: 'finished' }
          : { kind: 'retry' };
      case 'part': {
        const { outcome } = message;
        const isWhole =
          outcome.error !== null || outcome.participants.every((shard) => outcome.parts.has(shard));
        return isWhole ? joinedReply(write, outcome, outcome.parts) : { kind: 'retry' };
      }
      default:
        return message satisfies never;
    }
  }

  /** Leases first: the order group must know that this shard has keys of them (rule 14). */
  #propose(lead: Lead, entry: RequestEntry | PrepareEntry): void {
    if (!lead.isCurrent) return;
    const { shard, group } = lead;
    const missing = leasesOf(entry).find((lease) => !shard.hasLease(lease) && !entry.absent.includes(lease));
    if (missing === undefined) {
      this.proposeShard(lead, entry);
      return;
    }
    this.toLeader(orderShard, (order) => {
      const lease = order.replica.order.leases.get(missing);
      if (lease !== null) {
        this.propose(order, { kind: 'register', lease: missing, shard: group.id });
        return;
      }
      // That there is none is said by the shard's log, and remembered.
      if (!this.#isRightful(order)) return;
      const absent = [...entry.absent, missing];
      this.world.send(lead.node, () => this.#propose(lead, { ...entry, absent }));
    });
  }

  // Transactions of several shards: rule 8.

  #coordinate(node: OrderingNode, call: Call, answer: (reply: ClientReply) => void): void {
    const { world } = this;
    const { incarnation } = node;
    const { origin, user, write } = call;
    // One attempt at a time: two of one node would only be in each other's way.
    const name = `${incarnation} ${keyOf(origin)}`;
    const running = node.coordinating.get(name);
    node.coordinating.set(name, answer);
    if (running !== undefined) return;
    const { spans, filtersOwn } = footprintOf(write);
    const request = asTxn(write);
    // It may die in the middle, and nobody misses it.
    const rounds =
      !world.healed && world.chance(10, 'coordinator forgets') ? world.below(3, 'when') : factRetryRoundsMax;
    let done = false;
    const finish = (message: ClientReply): void => {
      if (!done) node.coordinating.get(name)?.(message);
      node.coordinating.delete(name);
      done = true;
    };
    const isOver = (): boolean => done || world.settling || !node.up || node.incarnation !== incarnation;
    const parts = new Map<ShardId, TxnResponse>();
    const take = (message: Reply): void => {
      if (isOver()) return;
      if (message.kind === 'answer') finish(message);
      else if (message.kind === 'refused') {
        if (message.reason === 'finished' || message.reason === 'session-expired')
          finish({ kind: 'finished' });
      } else {
        const { outcome } = message;
        for (const [shard, part] of outcome.parts) parts.set(shard, part);
        const isWhole = outcome.error !== null || outcome.participants.every((shard) => parts.has(shard));
        if (isWhole) finish(joinedReply(write, outcome, parts));
        else collect(0);
      }
    };
    let collecting = false;
    /** Asks those who have the keys now for what they remember of it. */
    const collect = (round: number): void => {
      if (isOver() || (round === 0 && collecting)) return;
      if (round > rounds) return finish({ kind: 'retry' });
      collecting = true;
      for (const { shard } of node.order.map.of(spans)) {
        this.toLeader(shard, (lead) => {
          const outcome = lead.shard.memory.outcomeOf(origin);
          if (outcome?.kind !== 'committed') return;
          const copy = { ...outcome, parts: new Map(outcome.parts) };
          world.send(node, () => take({ kind: 'part', outcome: copy }));
        });
      }
      world.at(9, () => collect(round + 1));
    };
    const attempt = (count: number): void => {
      if (isOver()) return;
      // Participants and epochs of one moment.
      const rows = node.order.map.of(spans);
      if (rows.length < 2 && !filtersOwn) return finish({ kind: 'retry' });
      node.attempts += 1;
      const transaction = `${origin.session}.${origin.request}.${node.id}-${incarnation}-${node.attempts}`;
      const participants = rows.map(({ shard, range }) => ({ shard, range }));
      const prepares = rows.map(({ span }): PrepareEntry => ({
        kind: 'prepare',
        transaction,
        origin,
        user,
        participants,
        fragment: fragmentOf(request, span),
        revokes: null,
        absent: [],
      }));
      const tick = (round: number): void => {
        if (isOver()) return;
        const decision = node.order.decisionOf(transaction);
        if (decision?.verdict === 'commit') return collect(0);
        if (decision !== null) {
          if (count < 12)
            world.at(world.between(1, 8 * 2 ** Math.min(count, 4), 'backoff'), () => attempt(count + 1));
          else finish({ kind: 'retry' });
          return;
        }
        if (round > rounds) return finish({ kind: 'retry' });
        prepares.forEach((entry, i) => {
          if (round === 0 && world.chance(15, 'prepare later')) return;
          this.toLeader((rows[i] as ShardRow).shard, (lead) => {
            lead.wait(keyOf(origin), (message) => world.send(node, () => take(message)));
            this.#propose(lead, entry);
          });
        });
        world.at(9, () => tick(round + 1));
      };
      tick(0);
    };
    attempt(0);
  }

  /** A request of the order group itself. */
  administer(node: OrderingNode, entry: AdministerEntry, reply: (reply: ClientReply) => void): void {
    this.toLeader(orderShard, (lead) => {
      lead.wait(keyOf(entry.origin), (message) => {
        this.world.send(node, () => reply(message.kind === 'answer' ? message : { kind: 'finished' }));
      });
      this.propose(lead, entry);
    });
  }

  openSession(node: OrderingNode, name: string, reply: (session: number) => void): void {
    this.#openings.set(name, (session) => this.world.send(node, () => reply(session)));
    this.toLeader(orderShard, (lead) => this.propose(lead, { kind: 'open-session', name, owner: '' }));
  }

  // Reads: rule 10.

  /**
   * Every replica that is asked for a part of `span` at an index of the order, or null: none that is complete was found.
   * `atLeast` null: a serializable read, of whatever there is.
   */
  serving(node: OrderingNode, span: KeySpan, atLeast: number | null): readonly Serving[] | null {
    const { order } = node;
    if (atLeast !== null && order.index < atLeast) return null;
    const found: Serving[] = [];
    for (const row of this.#route(node).rows) {
      const part = intersection(row.span, span);
      if (part === null) continue;
      const replicas = [...(this.groups.get(row.shard)?.replicas.values() ?? [])].filter(
        (one) => one.node.up,
      );
      if (replicas.length === 0) return null;
      const replica = this.world.pick(replicas, 'which replica');
      const lastFact = atLeast === null ? 0 : order.lastFact(row.shard, atLeast);
      if (lastFact === null || !replica.shard.serves([part], lastFact)) return null;
      found.push({ replica, span: part });
    }
    return found;
  }

  /** Whether everything has come to its end. */
  get isQuiet(): boolean {
    for (const { order } of this.nodes) {
      for (const _ of order.leases.revoking()) return false;
      for (const { shard } of order.map.rows) {
        const group = this.groups.get(shard);
        for (const replica of group?.replicas.values() ?? []) if (!isQuiet(replica, order)) return false;
      }
    }
    return true;
  }

  // Trouble.

  crash(node: OrderingNode): void {
    const { world } = this;
    node.up = false;
    node.incarnation += 1;
    node.leads.clear();
    world.coverage.count('crash');
    world.fault(`crash node ${node.id}`);
    world.at(world.between(2, 12, 'noticed'), () => {
      for (const group of this.groups.values()) if (group.leader === node) this.electAnybody(group);
    });
  }

  /** What it has written down is there again; the log brings the rest. */
  revive(node: OrderingNode): void {
    if (node.up) return;
    node.up = true;
    for (const replica of node.replicas.values()) replica.group.replicas.delete(node);
    node.replicas.clear();
    for (const [id, image] of node.image) {
      const group = this.groups.get(id);
      if (group !== undefined) group.add(node, restored(group, image), image.applied);
    }
    node.route = node.order.map;
    for (const group of this.groups.values()) {
      if (group.leader === null || !group.leader.up) this.electAnybody(group);
      else if (group.leader === node && !node.leads.has(group.id)) this.electAnybody(group);
    }
  }
}

function isQuiet({ shard, applied, group }: Replica, order: OrderMachine): boolean {
  const lastFact = order.lastFact(group.id, order.index) ?? 0;
  return (
    applied === group.log.length && shard.ordered >= lastFact && shard.isDrained && shard.barrier === null
  );
}

/** A replica that answers for a part of the keys. */
export interface Serving {
  readonly replica: Replica;
  readonly span: KeySpan;
}

function joinedReply(
  write: WriteRequest,
  outcome: CommittedOutcome,
  parts: ReadonlyMap<ShardId, TxnResponse>,
): ClientReply {
  const { revision, effective, error, participants } = outcome;
  const origin = { session: 0, request: 0, floor: 0 };
  if (error !== null) return { kind: 'answer', answer: { origin, result: error, revision, effective } };
  const whole = joinParts(
    asTxn(write),
    participants.map((shard) => parts.get(shard) as TxnResponse),
    { revision, effective },
  );
  return { kind: 'answer', answer: { origin, result: resultOf(write, whole), revision, effective } };
}

/** A deletion over several shards was a transaction on its way only. */
function resultOf({ kind }: WriteRequest, response: TxnResponse): ApplyResult {
  const [first] = response.responses;
  if (kind === 'delete-range' && first?.response?.case === 'responseDeleteRange') {
    return { kind, response: { ...first.response.value, header: response.header } };
  }
  return { kind: 'txn', response };
}

function leasesOf(entry: RequestEntry | PrepareEntry): readonly bigint[] {
  if (entry.kind === 'request') return footprintOf(entry.write).leases;
  return entry.fragment === null ? [] : footprintOf({ kind: 'txn', request: entry.fragment }).leases;
}

function keyOf({ session, request }: RequestOrigin): string {
  return `${session}.${request}`;
}
