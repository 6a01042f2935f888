import { assert, FlotillaError, isFlotillaError, messageOf, type Platform } from '@flotilla/platform';
import type { Group, Host, NodeId } from '@flotilla/raft';
import {
  type ApplyResult,
  type CommittedOutcome,
  type Database,
  type Frontier,
  type KeySpan,
  type OrderApplied as StoreApplied,
  type OrderEntry,
  type OrderKeeper,
  type OrderMachine,
  orderShard,
  type PrepareEntry,
  type ReplicaParts,
  type RequestEntry,
  type RequestOrigin,
  type ShardEntry,
  type ShardId,
  type ShardMachine,
  type ShardReplica,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import type { PeerChannels } from '../peer/peer-channels.ts';
import { Administering } from './administering.ts';
import { FormerReplicas } from './former-replicas.ts';
import type { HeldReplica, HeldShard } from './held-replica.ts';
import { Heirs } from './heirs.ts';
import { LeadTable } from './lead-table.ts';
import { answerNodes, recalled } from './node-handlers.ts';
import { NodeCalls } from './node-calls.ts';
import { NodeListeners } from './node-listeners.ts';
import { decodeOutcome, encodeMessage, paths } from './node-messages.ts';
import { OrderGroup } from './order-group.ts';
import { OrderOffice } from './order-office.ts';
import { OrderReports } from './order-reports.ts';
import { OwnShard } from './own-shard.ts';
import { ReplicaTable } from './replica-table.ts';
import { ReplicaUpkeep } from './replica-upkeep.ts';
import { ShardAnswers } from './shard-answers.ts';
import { ShardMembers } from './shard-members.ts';
import { ShardSubmitter } from './shard-submitter.ts';
import { shardsTold } from './shards-told.ts';
import { SpareReplicas } from './spare-replicas.ts';
import type {
  AdministerReply,
  NodeHandler,
  NodeShard,
  OrderApplied,
  Patience,
  ShardApplied,
  ShardNode,
  SubmitReply,
} from './types.ts';

export interface NodeShardsParts {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly host: Host;
  readonly database: Pick<Database, 'order' | 'keepOrder' | 'applied'>;
  readonly store: ReplicaParts['store'] & { flushNow(): Promise<void> };
  readonly access: ReplicaParts['access'];
  readonly channels: Pick<PeerChannels, 'ask' | 'handle' | 'isUnreachable'>;
  /** Going on could lose data or lie. */
  readonly failed: (error: unknown) => void;
}

/**
 * All replicas of this node, and what it does for them, as {@link ShardNode} says. In a cluster that was never sharded it
 * is there, has nothing, and does nothing.
 *
 * ```
 *   group 0 ─▶ order ─▶ facts to log ─┐            ┌─▶ answers to who proposed here
 *                                     ├─▶ leads ───┤
 *   groups ─▶ replicas ─▶ effects ────┘            └─▶ reports, votes ─▶ whoever leads group 0 ─▶ cuts
 * ```
 */
export class NodeShards implements ShardNode, OrderKeeper {
  readonly nodeId: NodeId;
  readonly #parts: NodeShardsParts;
  readonly #replicas: ReplicaTable;
  readonly #own: OwnShard;
  readonly #leads: LeadTable;
  readonly #reports: OrderReports;
  readonly #submitter: ShardSubmitter;
  readonly #members: ShardMembers;
  readonly #administering: Administering;
  /** Answers that somebody waits for. */
  readonly #busy = new Set<ShardAnswers>();
  readonly #calls: NodeCalls;
  readonly #listeners = new NodeListeners();
  /** Who led a shard that this node has no replica of, as it was told last. */
  readonly #heardLeaders = new Map<ShardId, NodeId>();
  readonly #group: OrderGroup;
  readonly #office: OrderOffice;
  readonly #upkeep: ReplicaUpkeep;
  #stopped = false;

  /** Before group 0 is opened: what that applies again may concern any replica. */
  constructor(parts: NodeShardsParts) {
    const { platform, nodeId, host, store, access, database } = parts;
    this.nodeId = nodeId;
    this.#parts = parts;
    this.#calls = new NodeCalls(nodeId, parts.channels);
    const order = (): OrderMachine | null => database.order;
    const ask = (node: NodeId, path: string, body: Uint8Array, patience: Patience): Promise<Uint8Array> =>
      this.ask(node, path, body, patience);
    const group = new OrderGroup(platform, order);
    this.#group = group;
    const propose = (entry: OrderEntry, patience: Patience): Promise<void> => this.propose(entry, patience);
    this.#own = new OwnShard(
      () => group.group,
      order,
      () => database.applied.term,
      propose,
      this.#answers(() => this.order?.own ?? null),
    );
    this.#reports = new OrderReports({
      platform,
      nodeId,
      order,
      leader: () => group.leader,
      ask,
      take: (report) => this.#office.take(report),
    });
    this.#office = new OrderOffice({
      platform,
      nodeId,
      order,
      propose,
      log: (shard, entry, patience) => this.log(shard, entry, patience),
      group,
      own: this.#own,
      begun: () => {
        this.#leads.wake(this.#own);
        this.#reports.tick();
      },
    });
    this.#members = new ShardMembers({
      platform,
      nodeId,
      order,
      isLive: (node) => node === nodeId || !parts.channels.isUnreachable(node),
      ask,
    });
    this.#leads = new LeadTable({
      platform,
      order,
      reports: this.#reports,
      members: this.#members,
      isLive: (node) => this.hears(node),
      frontier: () => this.frontier(shortPatience),
      log: (held, entry) => this.#background('shard-log', () => held.log(entry, shortPatience)),
      propose: (entry) => this.#background('order-log', () => propose(entry, shortPatience)),
    });
    this.#administering = new Administering(platform);
    this.#submitter = new ShardSubmitter({
      platform,
      nodeId,
      order,
      target: (shard) => this.#target(shard),
      nodesOf: (shard) => this.nodesOf(shard),
      ask,
      frontier: (patience) => this.frontier(patience),
      register: (lease, shard, patience) => propose({ kind: 'register', lease, shard }, patience),
      heard: (shard, leader) => {
        if (leader !== 0) this.#heardLeaders.set(shard, leader as NodeId);
      },
    });
    const flush = (): Promise<void> => store.flushNow();
    const heirs = new Heirs({
      platform,
      nodeId,
      order,
      orderVoters: () => group.voters,
      orderMembers: () => group.members,
      range: (shard) => this.#held(shard)?.state?.epoch.range ?? spares.get(shard)?.range ?? null,
      flush,
      ask,
    });
    const former = new FormerReplicas({
      platform,
      heirs,
      orderNodes: () => group.members.filter((node) => node !== nodeId),
      ask,
    });
    const spares = new SpareReplicas({
      platform,
      nodeId,
      host,
      flush,
      letGo: (spare) => {
        const known = this.order;
        if (known !== null) former.letGo(spare, known);
      },
      failed: parts.failed,
    });
    this.#replicas = new ReplicaTable({
      platform,
      nodeId,
      host,
      store,
      access,
      flush,
      order,
      spares,
      letGo: (claim, known) => former.letGo(claim, known),
      applied: (replica, { entry, effects }) => {
        const held = this.#replicas.get(replica.id);
        if (held === null) return;
        const { machine } = replica;
        held.answers.applied(machine, effects);
        this.#leads.applied(held, effects);
        if (entry !== null) this.#listeners.applied({ shard: replica.id, machine, entry, effects });
      },
      answers: (replica) => this.#answers(() => (replica.isReady ? replica.machine : null)),
      roleChanged: (held) => this.#leads.roleChanged(held),
      changed: () => this.#listeners.replicas(),
      resumeOrder: () => group.group?.resume(),
      orderHeldMs: () => group.status?.held?.forMs ?? 0,
      failed: parts.failed,
    });
    this.#upkeep = new ReplicaUpkeep({
      platform,
      nodeId,
      order,
      group,
      replicas: this.#replicas,
      former,
      spares,
      nodesOf: (shard) => this.nodesOf(shard),
      ask,
    });
    answerNodes({
      handle: (path, handler) => this.handle(path, handler),
      replicas: this.#replicas,
      submitter: this.#submitter,
      state: (shard) => this.#held(shard)?.state ?? null,
      heirs,
      take: (report) => this.#office.take(report),
    });
    database.keepOrder(this);
  }

  /** Group 0 is open: opens the groups of all replicas that were stored. */
  async open(group: Group<ApplyResult>): Promise<void> {
    this.#group.opened(group);
    group.onRoleChange(() => this.#orderRoleChanged());
    await this.#replicas.open();
    this.#orderRoleChanged();
    this.#upkeep.later();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#upkeep.stop();
    this.#group.stop();
    this.#office.stop();
    this.#reports.stop();
    this.#leads.stop();
    this.#own.answers.end();
    this.#replicas.stop();
    this.#administering.stop();
  }

  // What it knows.

  get order(): OrderMachine | null {
    return this.#parts.database.order;
  }

  replica(shard: ShardId): NodeShard | null {
    if (shard !== orderShard) return this.#replicas.get(shard);
    return this.order === null ? null : this.#own;
  }

  *replicas(): Iterable<NodeShard> {
    if (this.order !== null) yield this.#own;
    yield* this.#replicas.all();
  }

  /** Of a shard other than shard 0 that this node has. For tests, metrics and the control of shards. */
  held(shard: ShardId): HeldReplica | null {
    return this.#replicas.get(shard);
  }

  /** Replicas whose keys can be compared with those of others, and with their sums. Shard 0 is the database's. */
  *summed(): Iterable<Pick<ShardReplica, 'id' | 'sums' | 'verify'>> {
    for (const { replica } of this.#replicas.all()) yield replica;
  }

  nodesOf(shard: ShardId): readonly NodeId[] {
    const row = this.order?.map.row(shard);
    if (row === null || row === undefined) return [];
    const held = this.#held(shard);
    const leader = held?.leader ?? this.#heardLeaders.get(shard) ?? 0;
    const rank = (node: NodeId): number => {
      if (node === this.nodeId) return held?.isReady === true ? 0 : 4;
      if (this.#parts.channels.isUnreachable(node)) return 3;
      return node === leader ? 1 : 2;
    };
    const nodes = shard === orderShard ? this.#group.members : row.nodes;
    return [...(nodes as readonly NodeId[])].sort((a, b) => rank(a) - rank(b) || a - b);
  }

  // Requests.

  frontier(patience: Patience): Promise<Frontier> {
    return this.#group.frontier(patience);
  }

  submit(shard: ShardId, entry: RequestEntry | PrepareEntry, patience: Patience): Promise<SubmitReply> {
    return this.#submitter.submit(shard, entry, patience);
  }

  log(shard: ShardId, entry: ShardEntry, patience: Patience): Promise<void> {
    return this.#submitter.log(shard, entry, patience);
  }

  async recall(
    shard: ShardId,
    origin: Pick<RequestOrigin, 'session' | 'request'>,
    patience: Patience,
  ): Promise<CommittedOutcome | null> {
    const here = this.#held(shard)?.state ?? null;
    if (here !== null) return recalled(here, origin);
    for (const node of this.nodesOf(shard)) {
      if (node === this.nodeId) continue;
      try {
        return decodeOutcome(await this.ask(node, paths.recall, encodeMessage({ shard, origin }), patience));
      } catch (error) {
        if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      }
    }
    return null;
  }

  propose(entry: OrderEntry, patience: Patience): Promise<void> {
    return this.#group.propose(entry, patience);
  }

  administer(
    entry: OrderEntry & { readonly origin: RequestOrigin },
    patience: Patience,
  ): Promise<AdministerReply> {
    return this.#administering.ask(entry, patience, () => this.propose(entry, patience));
  }

  // Other nodes.

  ask(node: NodeId, path: string, body: Uint8Array, patience: Patience): Promise<Uint8Array> {
    return this.#calls.ask(node, path, body, patience);
  }

  hears(node: number): boolean {
    return node === this.nodeId || this.#parts.host.hears(node as NodeId);
  }

  handle(path: string, handler: NodeHandler): void {
    this.#calls.handle(path, handler);
  }

  onOrder(listener: (applied: OrderApplied) => void): () => void {
    return this.#listeners.onOrder(listener);
  }

  onApplied(listener: (applied: ShardApplied) => void): () => void {
    return this.#listeners.onApplied(listener);
  }

  onReplicas(listener: () => void): () => void {
    return this.#listeners.onReplicas(listener);
  }

  /** Hands leadership of a shard that this node leads to another node with a replica. */
  async moveLeader(shard: ShardId, to: NodeId, { timeoutMs }: Patience): Promise<void> {
    const group = this.#replicas.get(shard)?.group ?? null;
    if (group === null) throw new FlotillaError('FLOTILLA_NOT_LEADER', `shard ${shard} is not here`);
    await group.transferLeadership(to, { timeoutMs });
  }

  // What group 0 says, in the middle of applying.

  applied({ order, position, entry, effects }: StoreApplied): void {
    for (const effect of effects) {
      if (effect.kind === 'shard') {
        const { effect: own } = effect;
        this.#own.answers.applied(order.own, [own]);
        if (own.kind === 'split') this.#split(order, own.child);
        if (own.kind === 'absorbed') this.#replicas.takenByOrder(own.drained);
        if (own.kind === 'vote' && this.#own.leads) this.#reports.vote(own.vote);
      } else if (effect.kind === 'decided') {
        for (const shard of effect.decision.participants) this.#held(shard)?.answers.decided(effect.decision);
      }
    }
    this.#administering.applied(order, effects);
    for (const answers of this.#busy) answers.settleSoon();
    this.#leads.orderApplied(shardsTold(entry, effects), (shard) => this.#held(shard));
    this.#office.applied();
    this.#upkeep.later();
    this.#listeners.order({ order, entry, index: position.index, effects });
    if (entry?.kind === 'own') {
      const own = effects.flatMap((effect) => (effect.kind === 'shard' ? [effect.effect] : []));
      this.#listeners.applied({ shard: orderShard, machine: order.own, entry: entry.entry, effects: own });
    }
  }

  mapChanged(): void {
    this.#heardLeaders.clear();
  }

  drained(shard: ShardId, upTo: number): ShardMachine | null {
    const held = this.#replicas.get(shard);
    const state = held?.state ?? null;
    return state !== null && state.isComplete(upTo) ? state : null;
  }

  superseded(span: KeySpan): void {
    this.#upkeep.superseded(span);
  }

  restored(): void {
    const { order } = this;
    if (order === null) return;
    this.#upkeep.later();
    this.#own.answers.restored(order.own);
    this.#administering.restored(order);
    for (const held of this.#replicas.all()) this.#leads.wake(held);
    this.#listeners.replicas();
  }

  #split(order: OrderMachine, child: ShardMachine): void {
    const row = order.map.row(child.shard);
    assert(row !== null, 'a shard that has begun is in the map');
    this.#replicas.spawnedOfOrder(child, row.nodes);
  }

  #orderRoleChanged(): void {
    if (this.#stopped) return;
    this.#office.roleChanged();
    this.#leads.roleChanged(this.#own);
    // Another one has to hear how far every shard is.
    for (const held of this.#replicas.all()) this.#leads.wake(held);
    this.#reports.tick();
  }

  // Parts.

  #answers(machine: () => ShardMachine | null): ShardAnswers {
    return new ShardAnswers({
      platform: this.#parts.platform,
      busy: this.#busy,
      machine,
      order: () => this.order,
      frontier: () => this.frontier(shortPatience),
    });
  }

  #held(shard: ShardId): HeldShard | null {
    if (shard !== orderShard) return this.#replicas.get(shard);
    return this.order === null ? null : this.#own;
  }

  #target(shard: ShardId): HeldShard | null {
    const held = this.#held(shard);
    // One that waits for a snapshot cannot tell what became of anything.
    return held === null || held.state === null || this.#stopped ? null : held;
  }

  #background(label: string, task: () => Promise<unknown>): void {
    const { platform } = this.#parts;
    platform.spawn(label, async () => {
      try {
        await task();
      } catch (error) {
        // It is said again as long as it has to be.
        platform.log.debug('an entry of a shard is not known to be logged', { reason: messageOf(error) });
      }
    });
  }
}

/** Of what nobody waits for: it is said again. */
const shortPatience: Patience = { timeoutMs: limits.orderProposalMs };
