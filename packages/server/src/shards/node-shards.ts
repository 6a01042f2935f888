import {
  assert,
  FlotillaError,
  isFlotillaError,
  messageOf,
  type Platform,
  type Timer,
} from '@flotilla/platform';
import { type Configuration, type Group, type Host, membersOf, type NodeId } from '@flotilla/raft';
import {
  type ApplyResult,
  type CommittedOutcome,
  type Database,
  encodeOrderEntry,
  encodeProposal,
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
  sessionErrors,
  type ShardEntry,
  type ShardId,
  type ShardMachine,
} from '@flotilla/store';
import { limits } from '../limits.ts';
import type { PeerChannels } from '../peer/peer-channels.ts';
import { Administering } from './administering.ts';
import type { HeldReplica, HeldShard } from './held-replica.ts';
import { LeadTable } from './lead-table.ts';
import { answerNodes, recalled } from './node-handlers.ts';
import { decodeMessage, decodeOutcome, encodeMessage, paths, type ReportMessage } from './node-messages.ts';
import { OrderLead } from './order-lead.ts';
import { OrderReports } from './order-reports.ts';
import { OwnShard } from './own-shard.ts';
import { ReplicaTable } from './replica-table.ts';
import { ShardAnswers } from './shard-answers.ts';
import { ShardMembers } from './shard-members.ts';
import { ShardSubmitter } from './shard-submitter.ts';
import { shardsTold } from './shards-told.ts';
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
  readonly #handlers = new Map<string, NodeHandler>();
  readonly #orderListeners = new Set<(applied: OrderApplied) => void>();
  readonly #appliedListeners = new Set<(applied: ShardApplied) => void>();
  readonly #replicaListeners = new Set<() => void>();
  /** Who led a shard that this node has no replica of, as it was told last. */
  readonly #heardLeaders = new Map<ShardId, NodeId>();
  #group: Group<ApplyResult> | null = null;
  #orderLead: OrderLead | null = null;
  #repairTimer: Timer | null = null;
  #requestId = 0;
  #stopped = false;

  /** Before group 0 is opened: what that applies again may concern any replica. */
  constructor(parts: NodeShardsParts) {
    const { platform, nodeId, host, store, access, database } = parts;
    this.nodeId = nodeId;
    this.#parts = parts;
    const order = (): OrderMachine | null => database.order;
    const ask = (node: NodeId, path: string, body: Uint8Array, patience: Patience): Promise<Uint8Array> =>
      this.ask(node, path, body, patience);
    const propose = (entry: OrderEntry, patience: Patience): Promise<void> => this.propose(entry, patience);
    this.#own = new OwnShard(
      () => this.#group,
      order,
      () => database.applied.term,
      propose,
      this.#answers(() => this.order?.own ?? null),
    );
    this.#reports = new OrderReports({
      platform,
      nodeId,
      order,
      leader: () => this.#orderLeader,
      ask,
      take: (report) => this.#takeReport(report),
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
    this.#replicas = new ReplicaTable({
      platform,
      nodeId,
      host,
      store,
      access,
      flush: () => store.flushNow(),
      order,
      applied: (replica, { entry, effects }) => {
        const held = this.#replicas.get(replica.id);
        if (held === null) return;
        const { machine } = replica;
        held.answers.applied(machine, effects);
        this.#leads.applied(held, effects);
        if (entry !== null) this.#told({ shard: replica.id, machine, entry, effects });
      },
      answers: (replica) => this.#answers(() => (replica.isReady ? replica.machine : null)),
      roleChanged: (held) => this.#leads.roleChanged(held),
      changed: () => this.#replicasChanged(),
      resumeOrder: () => this.#group?.resume(),
      orderHeldMs: () => this.#group?.status().held?.forMs ?? 0,
      failed: parts.failed,
    });
    answerNodes({
      handle: (path, handler) => this.handle(path, handler),
      replicas: this.#replicas,
      submitter: this.#submitter,
      state: (shard) => this.#held(shard)?.state ?? null,
      order,
      take: (report) => this.#takeReport(report),
    });
    database.keepOrder(this);
  }

  /** Group 0 is open: opens the groups of all replicas that were stored. */
  async open(group: Group<ApplyResult>): Promise<void> {
    this.#group = group;
    group.onRoleChange(() => this.#orderRoleChanged());
    await this.#replicas.open();
    this.#orderRoleChanged();
    this.#repairLater();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#repairTimer?.cancel();
    this.#orderLead?.stop();
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
    const nodes = shard === orderShard ? this.#orderMembers : row.nodes;
    return [...(nodes as readonly NodeId[])].sort((a, b) => rank(a) - rank(b) || a - b);
  }

  // Requests.

  async frontier({ timeoutMs }: Patience): Promise<Frontier> {
    await this.#orderGroup.readBarrier({ timeoutMs });
    const { order } = this;
    if (order === null) throw notSharded();
    return { index: order.index, revision: order.frontier };
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

  async propose(entry: OrderEntry, { timeoutMs }: Patience): Promise<void> {
    this.#requestId += 1;
    const payload = encodeProposal({
      kind: 'order',
      requestId: this.#requestId,
      request: encodeOrderEntry(entry),
    });
    const { platform } = this.#parts;
    const untilMs = platform.now() + timeoutMs;
    for (;;) {
      try {
        const leftMs = Math.max(1, untilMs - platform.now());
        const result = await this.#orderGroup.propose(payload, { timeoutMs: leftMs });
        if (result.kind === 'error') throw result.error;
        return;
      } catch (error) {
        // A snapshot has jumped over it. What is logged twice is done once; but what was decided on a configuration
        // would be refused the second time.
        const isOver = 'configuration' in entry || platform.now() >= untilMs;
        if (isOver || !isFlotillaError(error, 'FLOTILLA_PROPOSAL_UNKNOWN')) throw error;
      }
    }
  }

  administer(
    entry: OrderEntry & { readonly origin: RequestOrigin },
    patience: Patience,
  ): Promise<AdministerReply> {
    return this.#administering.ask(entry, patience, () => this.propose(entry, patience));
  }

  async openSession(name: string, patience: Patience): Promise<number> {
    const known = this.order?.sessionOf(name) ?? null;
    if (known !== null) return known;
    await this.propose({ kind: 'open-session', name, owner: '' }, patience);
    const session = this.order?.sessionOf(name) ?? null;
    if (session === null) throw sessionErrors.expired;
    return session;
  }

  // Other nodes.

  async ask(node: NodeId, path: string, body: Uint8Array, { timeoutMs }: Patience): Promise<Uint8Array> {
    if (node !== this.nodeId) return await this.#parts.channels.ask(node, path, body, timeoutMs);
    const handler = this.#handlers.get(path);
    if (handler === undefined) {
      throw new FlotillaError('FLOTILLA_PEER_CALL_UNKNOWN', `this member does not know ${path}`);
    }
    try {
      return await handler(body, this.nodeId);
    } catch (error) {
      if (isFlotillaError(error, 'FLOTILLA_STOPPED')) throw error;
      throw new FlotillaError('FLOTILLA_PEER_CALL_FAILED', messageOf(error), { cause: error });
    }
  }

  handle(path: string, handler: NodeHandler): void {
    this.#handlers.set(path, handler);
    this.#parts.channels.handle(path, handler);
  }

  onOrder(listener: (applied: OrderApplied) => void): () => void {
    this.#orderListeners.add(listener);
    return () => this.#orderListeners.delete(listener);
  }

  onApplied(listener: (applied: ShardApplied) => void): () => void {
    this.#appliedListeners.add(listener);
    return () => this.#appliedListeners.delete(listener);
  }

  onReplicas(listener: () => void): () => void {
    this.#replicaListeners.add(listener);
    return () => this.#replicaListeners.delete(listener);
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
        if (own.kind === 'vote' && this.#own.leads) this.#reports.vote(own.vote);
      } else if (effect.kind === 'decided') {
        for (const shard of effect.decision.participants) this.#held(shard)?.answers.decided(effect.decision);
      }
    }
    this.#administering.applied(order, effects);
    if (entry !== null) this.#merged(order, entry);
    for (const answers of this.#busy) answers.settleSoon();
    this.#leads.orderApplied(shardsTold(entry, effects), (shard) => this.#held(shard));
    if (this.#orderLead === null) this.#parts.platform.defer(() => this.#orderLeadMayBegin());
    this.#orderLead?.applied();
    this.#repairLater();
    for (const listener of this.#orderListeners) {
      listener({ order, entry, index: position.index, effects });
    }
    if (entry?.kind === 'own') {
      const own = effects.flatMap((effect) => (effect.kind === 'shard' ? [effect.effect] : []));
      this.#told({ shard: orderShard, machine: order.own, entry: entry.entry, effects: own });
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
    this.#replicas.superseded(span);
  }

  restored(): void {
    const { order } = this;
    if (order === null) return;
    this.#repairLater();
    this.#own.answers.restored(order.own);
    this.#administering.restored(order);
    for (const held of this.#replicas.all()) this.#leads.wake(held);
    this.#replicasChanged();
  }

  #split(order: OrderMachine, child: ShardMachine): void {
    const row = order.map.row(child.shard);
    assert(row !== null, 'a shard that has begun is in the map');
    this.#replicas.spawnedOfOrder(child, row.nodes);
  }

  /** Shard 0 has taken over a neighbour. */
  #merged(order: OrderMachine, entry: OrderEntry): void {
    if (entry.kind !== 'range' || entry.change.kind !== 'merge' || entry.change.into !== orderShard) return;
    const { shard } = entry.change;
    if (order.map.row(shard) === null) this.#replicas.takenByOrder(shard);
  }

  // Leading group 0.

  #orderRoleChanged(): void {
    const status = this.#group?.status();
    if (status === undefined || this.#stopped) return;
    const leads = status.role === 'leader';
    if (this.#orderLead !== null && (!leads || this.#orderLead.term !== status.term)) {
      this.#orderLead.stop();
      this.#orderLead = null;
    }
    this.#orderLeadMayBegin();
    this.#leads.roleChanged(this.#own);
    // Another one has to hear how far every shard is.
    for (const held of this.#replicas.all()) this.#leads.wake(held);
    this.#reports.tick();
  }

  /** When everything is applied that was there before its term. */
  #orderLeadMayBegin(): void {
    if (this.#orderLead !== null || this.order === null || this.#stopped || !this.#own.isReady) return;
    const status = this.#group?.status();
    if (status?.role !== 'leader') return;
    const { platform } = this.#parts;
    this.#orderLead = new OrderLead({
      platform,
      nodeId: this.nodeId,
      term: status.term,
      order: () => this.order,
      propose: (entry, patience) => this.propose(entry, patience),
      log: (shard, entry, patience) => this.log(shard, entry, patience),
    });
    this.#leads.wake(this.#own);
    this.#reports.tick();
  }

  #takeReport(report: ReportMessage): boolean {
    this.#orderLeadMayBegin();
    if (this.#orderLead === null) return false;
    this.#orderLead.take(report);
    return true;
  }

  get #orderLeader(): { readonly node: NodeId; readonly term: number } | null {
    const status = this.#group?.status();
    if (status === undefined || status.leader === 0) return null;
    return { node: status.leader, term: status.term };
  }

  get #orderMembers(): readonly NodeId[] {
    const configuration: Configuration | undefined = this.#group?.status().configuration;
    return configuration === undefined ? [] : membersOf(configuration);
  }

  get #orderGroup(): Group<ApplyResult> {
    if (this.#group === null || this.#stopped) {
      throw new FlotillaError('FLOTILLA_STOPPED', 'this member has stopped, or has not started');
    }
    return this.#group;
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

  #told(applied: ShardApplied): void {
    for (const listener of this.#appliedListeners) listener(applied);
  }

  #replicasChanged(): void {
    for (const listener of this.#replicaListeners) listener();
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

  // Now and then.

  /** There is nothing to look at before the cluster is sharded. */
  #repairLater(): void {
    if (this.#stopped || this.#repairTimer !== null || this.order === null) return;
    this.#repairTimer = this.#parts.platform.timer(limits.replicaRepairMs, 'shard-repair', () => {
      this.#repairTimer = null;
      const { order } = this;
      if (order !== null) {
        this.#replicas.repair(order);
        this.#background('shard-open', () => this.#replicas.openMissing(order));
        this.#askMembership(order);
        // What it waits for is not coming: a peer that has gone on sends all that comes of it.
        const heldMs = this.#group?.status().held?.forMs ?? 0;
        if (heldMs > limits.heldPatienceMs) {
          this.#group?.requestSnapshot();
          this.#askWhatIsGone();
        }
      }
      this.#repairLater();
    });
  }

  /**
   * The order here cannot go on without a snapshot, which may wait for room that replicas take which are none any more:
   * who knows a newer order says so.
   */
  #askWhatIsGone(): void {
    const shards = [...this.#replicas.all()].map(({ shard }) => shard);
    const node = this.nodesOf(orderShard).find((other) => other !== this.nodeId);
    if (shards.length === 0 || node === undefined) return;
    this.#background('shard-gone', async () => {
      const answer = await this.ask(node, paths.gone, encodeMessage({ shards }), shortPatience);
      const { index, gone } = decodeMessage<{ readonly index: number; readonly gone: readonly ShardId[] }>(
        answer,
      );
      for (const shard of gone) {
        const held = this.#replicas.get(shard);
        // One that is younger than what was asked is none of those.
        if (held !== null && held.bornBefore <= index) this.#replicas.drop(held);
      }
    });
  }

  /** Replicas that the map does not name: they may have left, and not have heard of it. */
  #askMembership(order: OrderMachine): void {
    for (const held of this.#replicas.all()) {
      const { shard } = held;
      const row = order.map.row(shard);
      if (row === null || row.nodes.includes(this.nodeId) || held.leads) continue;
      const [node] = this.nodesOf(shard);
      if (node === undefined) continue;
      this.#background('shard-member', async () => {
        const answer = await this.ask(node, paths.member, encodeMessage({ shard }), shortPatience);
        const { members, index } = decodeMessage<{
          readonly members: readonly number[];
          readonly index: number;
        }>(answer);
        if (!members.includes(this.nodeId)) this.#replicas.dropped(shard, index);
      });
    }
  }
}

/** Of what nobody waits for: it is said again. */
const shortPatience: Patience = { timeoutMs: limits.orderProposalMs };

function notSharded(): FlotillaError {
  return new FlotillaError('FLOTILLA_NOT_SHARDED', 'the cluster is not sharded');
}
