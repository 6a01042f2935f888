import type { NodeId } from '@flotilla/raft';
import { FlotillaError, type Random, seededRandom } from '@flotilla/platform';
import {
  type CommittedOutcome,
  decodeOrderEntry,
  decodeShardEntry,
  encodeOrderEntry,
  encodeShardEntry,
  footprintOf,
  holdsKey,
  type Frontier,
  type OrderEffect,
  type OrderEntry,
  OrderLeader,
  OrderMachine,
  orderShard,
  type PrepareEntry,
  type RangeChange,
  type RequestEntry,
  type RequestOrigin,
  type ShardAnswer,
  type ShardEffect,
  type ShardEntry,
  type ShardId,
  ShardLeader,
  ShardMachine,
  type ShardRow,
} from '@flotilla/store';
import { MemoryShardStore, SimulatedAccess } from '../../../store/simulation/ordering/memory-shard-store.ts';
import { VirtualPlatform } from '../../../store/test/virtual-platform.ts';
import type {
  AdministerReply,
  NodeHandler,
  NodeShard,
  OrderApplied,
  ShardApplied,
  ShardNode,
  SubmitReply,
} from '../../src/shards/types.ts';

type Entry = ShardEntry | OrderEntry;

const tickMs = 3;
const transactionTimeoutMs = 200;

/**
 * Nodes with the real machines of shards and of their order, over logs in memory that lose nothing: what stands above
 * them can be tested alone, in virtual time. Replicas of different nodes apply at different times.
 */
export class MemoryShards {
  readonly platform: VirtualPlatform;
  readonly nodes: readonly MemoryNode[];
  readonly groups = new Map<ShardId, MemoryGroup>();
  readonly random: Random;
  readonly ordering = new OrderLeader(1, transactionTimeoutMs);
  #stopped = false;

  /** One shard between two starts; `members`: of each, the nodes that have it. Shard 0 is everywhere. */
  constructor(seed: number, nodes: number, starts: readonly string[], replicas: number) {
    this.platform = new VirtualPlatform(seed);
    this.random = seededRandom(seed ^ 0x5eed);
    const ids = Array.from({ length: nodes }, (_, i) => i + 1);
    this.nodes = ids.map((id) => new MemoryNode(this, id));
    const known = ids.map((node) => ({ node, zone: '', labels: [] }));
    const bounds = ['', ...starts].map((start) => Buffer.from(start));
    const rows = bounds.map((from, shard): ShardRow => {
      const members = shard === orderShard ? ids : ids.map((_, i) => ids[(i + shard) % nodes] as number);
      const span = { from, to: bounds[shard + 1] ?? null };
      const held = shard === orderShard ? ids : members.slice(0, replicas);
      return { shard, span, range: 1, membership: 1, nodes: held };
    });
    const order = new MemoryGroup(this, orderShard);
    this.groups.set(orderShard, order);
    for (const id of ids) {
      const parts = { store: new MemoryShardStore(), access: new SimulatedAccess(), nodes: known, rows };
      order.add(this.node(id), new OrderMachine(parts), 0);
    }
    for (const { shard, span, nodes: held } of rows.slice(1)) {
      const group = new MemoryGroup(this, shard);
      this.groups.set(shard, group);
      for (const id of held) {
        const parts = { shard, span, store: new MemoryShardStore(), access: new SimulatedAccess() };
        const epoch = { membership: 1, range: 1 };
        group.add(this.node(id), new ShardMachine({ ...parts, epoch, order: null }), 0);
      }
    }
    this.#tickLater();
  }

  node(id: number): MemoryNode {
    return this.nodes[id - 1] as MemoryNode;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Runs until it is settled, in virtual time. */
  async run<Result>(promise: Promise<Result>): Promise<Result> {
    let settled = false;
    const over = promise.finally(() => (settled = true));
    over.catch(() => undefined);
    for (let i = 0; !settled && i < 20_000; i += 1) await this.platform.advance(1);
    if (!settled) throw new Error('nothing came of it');
    return await over;
  }

  /** Splits a shard at one of its keys, or merges two neighbours. Resolves when the map is another one. */
  async reshape(): Promise<void> {
    const { map } = this.#order;
    const row = map.rows[this.random.below(map.rows.length)] as ShardRow;
    const next = map.rows[map.rows.indexOf(row) + 1];
    const at = Buffer.from(['a', 'a/2', 'ab', 'b/1', 'm/15', 'm/3', 'z'][this.random.below(7)] as string);
    const isWithin = holdsKey(row.span, at) && Buffer.compare(at, row.span.from) > 0;
    const change: RangeChange | null = isWithin
      ? { kind: 'split', shard: row.shard, at }
      : next === undefined || next.shard === orderShard
        ? null
        : { kind: 'merge', shard: next.shard, into: row.shard };
    // A replica of the survivor takes over what is on its own node.
    if (change === null || (change.kind === 'merge' && !this.#areTogether(change.shard, change.into))) return;
    const group = this.groups.get(change.shard) as MemoryGroup;
    group.appendOwn({ kind: 'barrier', change, range: map.row(change.shard)?.range ?? 0 });
    for (let i = 0; this.#order.map === map && i < 2_000; i += 1) await this.platform.advance(1);
    if (this.#order.map === map) throw new Error(`${change.kind} of ${change.shard} was forgotten`);
  }

  #areTogether(one: ShardId, other: ShardId): boolean {
    const nodes = this.#order.map.row(other)?.nodes ?? [];
    return nodes.every((id) => this.node(id).held.has(one));
  }

  cut(): void {
    const order = (this.groups.get(orderShard) as MemoryGroup).leader;
    const cut = this.ordering.cut(order.order, this.platform.now());
    if (cut !== null) order.group.append(cut);
  }

  #tickLater(): void {
    this.platform.timer(tickMs, 'tick', () => {
      if (this.#stopped) return;
      for (const group of this.groups.values()) group.leader.lead();
      this.cut();
      for (const { shard, entry } of this.ordering.revocations(this.#order, this.platform.now())) {
        this.groups.get(shard)?.appendOwn(entry);
      }
      this.#tickLater();
    });
  }

  get #order(): OrderMachine {
    return (this.groups.get(orderShard) as MemoryGroup).leader.order;
  }
}

class MemoryGroup {
  readonly cluster: MemoryShards;
  readonly id: ShardId;
  readonly log: Entry[] = [];
  readonly replicas: MemoryReplica[] = [];

  constructor(cluster: MemoryShards, id: ShardId) {
    this.cluster = cluster;
    this.id = id;
  }

  get leader(): MemoryReplica {
    return this.replicas[0] as MemoryReplica;
  }

  add(node: MemoryNode, machine: OrderMachine | ShardMachine, applied: number): void {
    const replica = new MemoryReplica(this, node, machine, applied);
    this.replicas.push(replica);
    node.held.set(this.id, replica);
    replica.schedule();
  }

  append(entry: Entry): number {
    this.log.push(this.id === orderShard ? asOrderEntry(entry) : asShardEntry(entry));
    for (const replica of this.replicas) replica.schedule();
    return this.log.length;
  }

  appendOwn(entry: ShardEntry): number {
    return this.append(this.id === orderShard ? { kind: 'own', entry } : entry);
  }
}

/** As it is read from a log. */
function asOrderEntry(entry: Entry): OrderEntry {
  return decodeOrderEntry(encodeOrderEntry(entry as OrderEntry));
}

function asShardEntry(entry: Entry): ShardEntry {
  return decodeShardEntry(encodeShardEntry(entry as ShardEntry));
}

type Waiter = (reply: SubmitReply) => void;

class MemoryReplica implements NodeShard {
  readonly group: MemoryGroup;
  readonly node: MemoryNode;
  readonly answers = new ShardLeader(4 * tickMs);
  readonly waiters = new Map<string, Waiter[]>();
  readonly isReady = true;
  readonly #machine: OrderMachine | ShardMachine;
  applied: number;
  #scheduled = false;

  constructor(group: MemoryGroup, node: MemoryNode, machine: OrderMachine | ShardMachine, applied: number) {
    this.group = group;
    this.node = node;
    this.#machine = machine;
    this.applied = applied;
  }

  get shard(): ShardId {
    return this.group.id;
  }

  get leads(): boolean {
    return this.group.leader === this;
  }

  get machine(): ShardMachine {
    return this.#machine instanceof OrderMachine ? this.#machine.own : this.#machine;
  }

  get order(): OrderMachine {
    return this.#machine as OrderMachine;
  }

  schedule(): void {
    const { platform, random } = this.group.cluster;
    if (this.#scheduled || this.applied >= this.group.log.length) return;
    this.#scheduled = true;
    platform.timer(this.leads ? 0 : random.below(4), 'apply', () => {
      this.#scheduled = false;
      const through = Math.min(this.group.log.length, this.applied + 1 + random.below(8));
      let isHeld = false;
      while (this.applied < through && !isHeld) isHeld = !this.#applyNext();
      if (isHeld) platform.timer(1, 'held', () => this.schedule());
      else this.schedule();
    });
  }

  /** False: a neighbour has to drain on this node first. */
  #applyNext(): boolean {
    const entry = this.group.log[this.applied] as Entry;
    const machine = this.#machine;
    const needs =
      machine instanceof OrderMachine
        ? machine.needs(entry as OrderEntry)
        : machine.needs(entry as ShardEntry);
    const neighbour = needs === null ? null : (this.node.held.get(needs.drained)?.machine ?? null);
    if (needs !== null && neighbour?.isComplete(needs.upTo) !== true) return false;
    this.applied += 1;
    const index = this.applied;
    const effects =
      machine instanceof OrderMachine
        ? machine.apply(entry as OrderEntry, { index, term: 1 }, neighbour)
        : machine.apply(entry as ShardEntry, index, neighbour);
    for (const effect of effects) this.#effect(effect);
    this.node.applied(this, entry, effects);
    return true;
  }

  #effect(effect: ShardEffect | OrderEffect): void {
    if (effect.kind === 'shard') this.#effect(effect.effect);
    else if (effect.kind === 'outcome') this.#outcome(effect);
    else if (effect.kind === 'refused') this.reply(effect.origin, { kind: 'refused', reason: effect.reason });
    else if (effect.kind === 'split') this.#spawn(effect.child);
    else if (effect.kind === 'vote' && this.leads) {
      const { cluster } = this.group;
      cluster.ordering.vote(this.#leadersOrder, effect.vote, cluster.platform.now());
      cluster.cut();
    }
  }

  #outcome(effect: Extract<ShardEffect | OrderEffect, { readonly kind: 'outcome' }>): void {
    const { origin, outcome } = effect;
    if (!('known' in effect)) {
      const { result, revision } = outcome as { result: ShardAnswer['result']; revision: number };
      this.node.administered(origin, { origin, result, revision, effective: false }, this.order.index);
      return;
    }
    const answer = this.answers.outcome(this.machine, origin, outcome);
    if (answer === null) return;
    if ('transaction' in answer) this.reply(origin, { kind: 'part', outcome: answer });
    else this.reply(origin, { kind: 'answer', answer });
  }

  get #leadersOrder(): OrderMachine {
    return (this.group.cluster.groups.get(orderShard) as MemoryGroup).leader.order;
  }

  #spawn(child: ShardMachine): void {
    const { cluster } = this.group;
    let group = cluster.groups.get(child.shard);
    if (group === undefined) {
      group = new MemoryGroup(cluster, child.shard);
      cluster.groups.set(child.shard, group);
    }
    group.add(this.node, child, 0);
    this.node.replicasChanged();
  }

  reply({ session, request }: RequestOrigin, reply: SubmitReply): void {
    const key = `${session}.${request}`;
    const waiting = this.waiters.get(key) ?? [];
    this.waiters.delete(key);
    for (const tell of waiting) tell(reply);
  }

  /** What can be told by now. */
  answerReady(): void {
    if (this.group.id === orderShard) return;
    for (const answer of this.answers.ready(this.machine, this.node.order)) {
      this.reply(answer.origin, { kind: 'answer', answer });
    }
    const tell = this.answers.ask(this.machine);
    if (tell === null) return;
    void this.node.frontier().then((frontier) => {
      tell(frontier);
      this.answerReady();
    });
  }

  lead(): void {
    const { cluster, id } = this.group;
    const { machine } = this;
    if (id !== orderShard) {
      cluster.ordering.report(id, machine.seq, machine.ordered);
      for (const fact of this.answers.facts(machine, this.node.order, cluster.platform.now())) {
        this.group.append({ kind: 'ordered', fact });
      }
      const entry = this.answers.frontierEntry(machine, this.node.order);
      if (entry !== null) this.group.append(entry);
    }
    for (const vote of machine.votes())
      cluster.ordering.vote(this.#leadersOrder, vote, cluster.platform.now());
    if (machine.barrier !== null && machine.isDrained) {
      const { barrier, epoch } = machine;
      (cluster.groups.get(orderShard) as MemoryGroup).append({
        kind: 'range',
        change: barrier,
        range: epoch.range,
        nodes: cluster.nodes.map(({ nodeId }) => nodeId),
      });
    }
    this.answerReady();
  }
}

export class MemoryNode implements ShardNode {
  readonly cluster: MemoryShards;
  readonly nodeId: NodeId;
  readonly held = new Map<ShardId, MemoryReplica>();
  readonly #handlers = new Map<string, NodeHandler>();
  readonly #orderListeners = new Set<(applied: OrderApplied) => void>();
  readonly #listeners = new Set<(applied: ShardApplied) => void>();
  readonly #replicaListeners = new Set<() => void>();
  readonly #administering = new Map<string, (answer: ShardAnswer) => void>();
  readonly #spreading: { readonly answer: ShardAnswer; readonly index: number }[] = [];
  readonly #appliedWaiters: { readonly index: number; readonly resolve: () => void }[] = [];

  constructor(cluster: MemoryShards, nodeId: number) {
    this.cluster = cluster;
    this.nodeId = nodeId as NodeId;
  }

  get order(): OrderMachine {
    return (this.held.get(orderShard) as MemoryReplica).order;
  }

  replica(shard: ShardId): NodeShard | null {
    return this.held.get(shard) ?? null;
  }

  replicas(): Iterable<NodeShard> {
    return this.held.values();
  }

  async frontier(): Promise<Frontier> {
    await this.#delay();
    await this.#appliedTo(this.#orderGroup.log.length);
    return { index: this.order.index, revision: this.order.frontier };
  }

  async submit(shard: ShardId, entry: RequestEntry | PrepareEntry): Promise<SubmitReply> {
    const replica = this.held.get(shard);
    if (replica !== undefined) return await this.#submitHere(replica, entry);
    await this.#delay();
    const [elsewhere] = this.nodesOf(shard);
    if (elsewhere === undefined) {
      throw new FlotillaError('FLOTILLA_SHARD_UNREACHABLE', `nobody has shard ${shard}`);
    }
    const reply = await this.cluster.node(elsewhere).submit(shard, entry);
    await this.#delay();
    return reply;
  }

  async #submitHere(replica: MemoryReplica, entry: RequestEntry | PrepareEntry): Promise<SubmitReply> {
    const absent: bigint[] = [...entry.absent];
    for (const lease of leasesOf(entry)) {
      for (let left = 100; !replica.machine.hasLease(lease) && left > 0; left -= 1) {
        if (this.order.leases.get(lease) !== null) {
          await this.propose({ kind: 'register', lease, shard: replica.shard });
          await this.#delay();
          continue;
        }
        await this.frontier();
        if (this.order.leases.get(lease) !== null) continue;
        absent.push(lease);
        break;
      }
    }
    return await new Promise((resolve) => {
      const { session, request } = entry.origin;
      const key = `${session}.${request}`;
      replica.waiters.set(key, [...(replica.waiters.get(key) ?? []), resolve]);
      replica.group.appendOwn({ ...entry, absent });
    });
  }

  async log(shard: ShardId, entry: ShardEntry): Promise<void> {
    (this.cluster.groups.get(shard) as MemoryGroup).appendOwn(entry);
    await this.#delay();
  }

  async recall(
    shard: ShardId,
    origin: Pick<RequestOrigin, 'session' | 'request'>,
  ): Promise<CommittedOutcome | null> {
    await this.#delay();
    const outcome = this.cluster.groups.get(shard)?.leader.machine.memory.outcomeOf(origin) ?? null;
    return outcome?.kind === 'committed' ? { ...outcome, parts: new Map(outcome.parts) } : null;
  }

  async propose(entry: OrderEntry): Promise<void> {
    await this.#appliedTo(this.#orderGroup.append(entry));
  }

  administer(entry: OrderEntry & { readonly origin: RequestOrigin }): Promise<AdministerReply> {
    const { session, request } = entry.origin;
    return new Promise((resolve) => {
      this.#administering.set(`${session}.${request}`, (answer) => resolve({ kind: 'answer', answer }));
      this.#orderGroup.append(entry);
    });
  }

  administered(origin: RequestOrigin, answer: ShardAnswer, index: number): void {
    this.#spreading.push({ answer: { ...answer, origin }, index });
  }

  async openSession(name: string): Promise<number> {
    await this.propose({ kind: 'open-session', name, owner: '' });
    return this.order.sessionOf(name) as number;
  }

  async ask(node: number, path: string, body: Uint8Array): Promise<Uint8Array> {
    await this.#delay();
    const handler = this.cluster.node(node).#handlers.get(path);
    if (handler === undefined) throw new FlotillaError('FLOTILLA_PEER_CALL_UNKNOWN', path);
    const answer = await handler(body, this.nodeId);
    await this.#delay();
    return answer;
  }

  hears(): boolean {
    return true;
  }

  handle(path: string, handler: NodeHandler): void {
    this.#handlers.set(path, handler);
  }

  nodesOf(shard: ShardId): readonly NodeId[] {
    return this.cluster.groups.get(shard)?.replicas.map(({ node }) => node.nodeId) ?? [];
  }

  onOrder(listener: (applied: OrderApplied) => void): () => void {
    this.#orderListeners.add(listener);
    return () => this.#orderListeners.delete(listener);
  }

  onApplied(listener: (applied: ShardApplied) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onReplicas(listener: () => void): () => void {
    this.#replicaListeners.add(listener);
    return () => this.#replicaListeners.delete(listener);
  }

  replicasChanged(): void {
    for (const listener of this.#replicaListeners) listener();
  }

  applied(replica: MemoryReplica, entry: Entry, effects: readonly (ShardEffect | OrderEffect)[]): void {
    const { machine, shard } = replica;
    if (shard === orderShard) {
      const applied = {
        order: this.order,
        entry: entry as OrderEntry,
        index: this.order.index,
        effects: effects as OrderEffect[],
      };
      for (const listener of this.#orderListeners) listener(applied);
      for (const other of this.held.values()) other.answerReady();
      this.#spread();
      for (const waiter of this.#appliedWaiters.splice(0)) {
        if (waiter.index <= this.order.index) waiter.resolve();
        else this.#appliedWaiters.push(waiter);
      }
      return;
    }
    const applied = {
      shard,
      machine,
      entry: entry as ShardEntry,
      effects: effects as ShardEffect[],
      fact: null,
    };
    for (const listener of this.#listeners) listener(applied);
    replica.answerReady();
  }

  #spread(): void {
    for (const waiting of this.#spreading.splice(0)) {
      if (!this.order.isEverywhere(waiting.index)) {
        this.#spreading.push(waiting);
        continue;
      }
      const { session, request } = waiting.answer.origin;
      const key = `${session}.${request}`;
      this.#administering.get(key)?.(waiting.answer);
      this.#administering.delete(key);
    }
  }

  #appliedTo(index: number): Promise<void> {
    if (this.order.index >= index) return Promise.resolve();
    return new Promise((resolve) => {
      this.#appliedWaiters.push({ index, resolve });
    });
  }

  get #orderGroup(): MemoryGroup {
    return this.cluster.groups.get(orderShard) as MemoryGroup;
  }

  #delay(): Promise<void> {
    const { platform, random } = this.cluster;
    return new Promise((resolve) => {
      platform.timer(random.below(2), 'on its way', resolve);
    });
  }
}

function leasesOf(entry: RequestEntry | PrepareEntry): readonly bigint[] {
  if (entry.kind === 'request') return footprintOf(entry.write).leases;
  return entry.fragment === null ? [] : footprintOf({ kind: 'txn', request: entry.fragment }).leases;
}
