import type { Random } from '@flotilla/platform';
import { EventHeap } from '@flotilla/sim';
import type { NodeView, ReplicaView, ShardView } from '../../src/placement/cluster-view.ts';
import type { Operation } from '../../src/placement/operation.ts';
import { refusalOfOperation } from '../../src/placement/operation-check.ts';
import { plan, type Plan, type PlanOptions } from '../../src/placement/plan.ts';
import { PlacementState } from '../../src/placement/placement-state.ts';
import { placementLimits, type PlacementSettings } from '../../src/placement/settings.ts';

/** A cluster reduced to what placement sees: shards that do what they are asked to, in simulated time. */
export interface PlacementWorldOptions {
  readonly settings: PlacementSettings;
  readonly nodes: readonly NodeView[];
  readonly shards: Iterable<ShardView>;
  readonly shardCount: number;
  readonly random: Random;
  readonly tickMs: number;
  /** Of a node, shared by the replicas that come in. */
  readonly bandwidthBytesPerSecond: number;
  readonly budgetBytesPerSecond: number;
  readonly budgetBurstBytes: number;
  /** From the decision to its execution. */
  readonly operationMinMs: number;
  readonly operationMaxMs: number;
  /** Replaced by who measures it, or watches it. */
  readonly planner?: (state: PlacementState, options: PlanOptions) => Plan;
  readonly onDecided?: (operation: Operation) => void;
  readonly onShard?: (view: ShardView) => void;
}

export interface Movement {
  moves: number;
  movedBytes: number;
  /** Brought to learners that never became voters. */
  wastedBytes: number;
  transfers: number;
  splits: number;
  merges: number;
  refused: number;
  /** Replicas, and offices, that came back to where placement had taken them from. */
  thrash: number;
  leaderThrash: number;
}

const noMovement = (): Movement => ({
  moves: 0,
  movedBytes: 0,
  wastedBytes: 0,
  transfers: 0,
  splits: 0,
  merges: 0,
  refused: 0,
  thrash: 0,
  leaderThrash: 0,
});

type WorldEvent =
  | { readonly kind: 'execute'; readonly operation: Operation }
  | { readonly kind: 'caught-up'; readonly shard: number; readonly node: number }
  | { readonly kind: 'leave-joint'; readonly shard: number }
  | { readonly kind: 'elect'; readonly shard: number }
  | { readonly kind: 'act'; readonly act: () => void };

export class PlacementWorld {
  readonly options: PlacementWorldOptions;
  state: PlacementState;
  nowMs = 0;
  events = 0;
  /** Since the last call of {@link beginPhase}. */
  movement: Movement = noMovement();
  /** When placement last decided something. */
  lastDecisionMs = 0;
  #left = new Set<number>();
  #leftOffices = new Set<number>();
  #turn = 0;
  #nextShard: number;
  #nextTickMs = 0;
  readonly #queue = new EventHeap<WorldEvent>();
  readonly #silenced = new Map<number, NodeView>();

  constructor(options: PlacementWorldOptions) {
    this.options = options;
    const replicasMax = Math.max(...options.settings.policies.map(({ replicas }) => replicas));
    const bounds = { replicasMax, shards: options.shardCount };
    this.state = PlacementState.of(options.settings, 0, options.nodes, options.shards, bounds);
    this.state.budgetBytes = options.budgetBurstBytes;
    this.#nextShard = options.shardCount + 1;
  }

  /** A change from outside begins a new account of what is moved, and of what comes back. */
  beginPhase(): void {
    this.movement = noMovement();
    this.#left = new Set();
    this.#leftOffices = new Set();
    this.lastDecisionMs = this.nowMs;
  }

  at(timeMs: number, act: () => void): void {
    this.#queue.push(timeMs, { kind: 'act', act });
  }

  run(untilMs: number, stop: () => boolean = () => false): void {
    while (this.nowMs < untilMs && !stop()) {
      const next = Math.min(this.#queue.nextTime, this.#nextTickMs);
      if (next > untilMs) {
        this.nowMs = untilMs;
        return;
      }
      this.nowMs = next;
      this.events += 1;
      if (this.#queue.nextTime <= this.#nextTickMs) this.#happen(this.#queue.pop());
      else this.#tick();
    }
  }

  /** Runs until nothing has been decided for so long, and nothing is under way. */
  runUntilSteady(quietMs: number, maxMs: number): boolean {
    const isSteady = (): boolean =>
      this.nowMs - this.lastDecisionMs >= quietMs && this.state.underWay === 0 && this.nowMs >= quietMs;
    this.run(this.nowMs + maxMs, isSteady);
    return isSteady();
  }

  silence(id: number): void {
    const view = this.node(id);
    if (view.silent) return;
    this.setNode({ ...view, silent: true, sinceMs: this.nowMs });
    this.#silenced.set(id, view);
    for (const shard of this.shardsOn(id)) {
      if (shard.leader !== id) continue;
      this.setShard({ ...shard, leader: null });
      this.#electLater(shard.id);
    }
  }

  hear(id: number): void {
    if (!this.#silenced.delete(id)) return;
    this.setNode({ ...this.node(id), silent: false, sinceMs: this.nowMs });
    for (const shard of this.shardsOn(id)) if (shard.leader === null) this.#electLater(shard.id);
  }

  setNode(view: NodeView): void {
    this.state.advance(this.nowMs);
    this.state.setNode(view);
  }

  node(id: number): NodeView {
    return this.state.nodes.views[this.state.nodes.placeOf(id)]!;
  }

  setShard(view: ShardView): void {
    this.options.onShard?.(view);
    this.state.setShard(view);
  }

  shardsOn(id: number): ShardView[] {
    const { nodes, shards } = this.state;
    const place = nodes.placeOf(id);
    const rows = nodes.lists[place]!.slice(0, nodes.listed[place]);
    return [...rows].map((at) => shards.view(Math.floor(at / shards.stride), nodes));
  }

  /** The controller dies: what it had handed out is forgotten, and another one begins with what the shards show. */
  replaceController(): void {
    const views = [...this.state.shardViews()].map((view) => ({ ...view, operation: null }));
    const { nodes, settings, budgetBytes } = this.state;
    const replicasMax = Math.max(...settings.policies.map(({ replicas }) => replicas));
    this.state = PlacementState.of(settings, this.nowMs, nodes.views, views, {
      replicasMax,
      shards: views.length,
    });
    this.state.budgetBytes = budgetBytes;
    for (const view of views) {
      // What only the dead one had asked for: a replica that nobody waits for is not replaced any more.
      const hasLearner = view.replicas.some(({ role }) => role !== 'voter');
      if (!hasLearner && view.replaces !== null && !isSurplus(view, settings)) {
        this.setShard({ ...view, replaces: null });
      }
    }
  }

  /** Replicas that live nodes lack, and the shards without a majority. */
  missing(): { readonly replicas: number; readonly shards: number; readonly unavailable: number } {
    const { nodes, shards } = this.state;
    let [replicas, short, unavailable] = [0, 0, 0];
    for (const row of shards.rows()) {
      let [live, voters] = [0, 0];
      for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
        const node = shards.node[at]!;
        if (node < 0) break;
        if (shards.role[at] === 1 || shards.role[at] === 2) continue;
        voters += 1;
        live += nodes.heard[node]!;
      }
      const wanted = this.state.replicasOf(row);
      if (live < wanted) {
        replicas += wanted - live;
        short += 1;
      }
      if (live <= voters >> 1) unavailable += 1;
    }
    return { replicas, shards: short, unavailable };
  }

  #tick(): void {
    const { options, state } = this;
    this.#nextTickMs = this.nowMs + options.tickMs;
    state.advance(this.nowMs);
    const income = (options.budgetBytesPerSecond * options.tickMs) / 1000;
    state.budgetBytes = Math.min(options.budgetBurstBytes, state.budgetBytes + income);
    this.#turn += 1;
    const { operations, balancedBytes } = (options.planner ?? plan)(state, { seed: this.#turn });
    state.budgetBytes -= balancedBytes;
    for (const operation of operations) {
      options.onDecided?.(operation);
      state.begin(operation);
      const { operationMinMs, operationMaxMs } = options;
      const delayMs = operationMinMs + options.random.below(operationMaxMs - operationMinMs + 1);
      this.#queue.push(this.nowMs + delayMs, { kind: 'execute', operation });
    }
    if (operations.length > 0) this.lastDecisionMs = this.nowMs;
  }

  #happen(event: WorldEvent): void {
    switch (event.kind) {
      case 'act':
        event.act();
        return;
      case 'execute':
        this.#execute(event.operation);
        return;
      case 'caught-up':
        this.#catchUp(event.shard, event.node);
        return;
      case 'leave-joint':
        this.#leaveJoint(event.shard);
        return;
      case 'elect':
        this.#elect(event.shard);
    }
  }

  #execute(operation: Operation): void {
    const shard = this.state.shard(operation.shard);
    const isMine = shard !== null && shard.operation === operation;
    if (shard === null || shard.leader === null || refusalOfOperation(this.state, operation) !== null) {
      this.movement.refused += 1;
      if (isMine) {
        const replaces = operation.kind === 'add-learner' ? null : shard.replaces;
        this.setShard({ ...shard, replaces, operation: null });
      }
      return;
    }
    const epoch = { ...shard.epoch, membership: shard.epoch.membership + 1 };
    switch (operation.kind) {
      case 'add-learner':
        this.#addLearner({ ...shard, epoch, replaces: operation.replaces, operation: null }, operation.node);
        return;
      case 'promote': {
        const replicas = shard.replicas.map((replica): ReplicaView => {
          if (replica.node === operation.node) return { ...replica, role: 'joining' };
          return replica.node === operation.removes ? { ...replica, role: 'leaving' } : replica;
        });
        this.setShard({ ...shard, epoch, replicas, operation });
        this.#queue.push(this.nowMs + this.options.operationMinMs, { kind: 'leave-joint', shard: shard.id });
        return;
      }
      case 'finish-change':
        this.#leaveJoint(shard.id);
        return;
      case 'remove':
        this.#remove({ ...shard, epoch, operation: null }, operation.node);
        return;
      case 'transfer-leader':
        this.movement.transfers += 1;
        if (this.#leftOffices.has(placeKey(shard.id, operation.to))) this.movement.leaderThrash += 1;
        this.#leftOffices.add(placeKey(shard.id, operation.from));
        this.setShard({ ...shard, leader: operation.to, operation: null });
        return;
      case 'split':
        this.#split({ ...shard, operation: null });
        return;
      case 'merge':
        this.#merge(shard, this.state.shard(operation.into)!);
    }
  }

  #addLearner(shard: ShardView, node: number): void {
    if (this.#left.has(placeKey(shard.id, node))) {
      this.movement.thrash += 1;
    }
    this.setShard({ ...shard, replicas: [...shard.replicas, { node, role: 'learner' }] });
    const slot = this.options.bandwidthBytesPerSecond / this.state.settings.movesInPerNode;
    const transferMs = (shard.bytes / slot) * 1000 + this.options.operationMinMs;
    this.#queue.push(this.nowMs + transferMs, { kind: 'caught-up', shard: shard.id, node });
  }

  #catchUp(id: number, node: number): void {
    const shard = this.state.shard(id);
    const replica = shard?.replicas.find((its) => its.node === node);
    if (shard === null || replica?.role !== 'learner') return;
    if (shard.leader === null || this.node(node).silent) {
      this.#queue.push(this.nowMs + 10_000, { kind: 'caught-up', shard: id, node });
      return;
    }
    const replicas = shard.replicas.map((its): ReplicaView =>
      its === replica ? { node, role: 'caught-up' } : its,
    );
    this.setShard({ ...shard, replicas });
  }

  #leaveJoint(id: number): void {
    const shard = this.state.shard(id);
    if (shard === null || !shard.replicas.some(({ role }) => role === 'joining' || role === 'leaving'))
      return;
    if (shard.leader === null) {
      // The next leader finds it in its log, or somebody asks for it.
      if (shard.operation !== null) this.setShard({ ...shard, operation: null });
      return;
    }
    this.movement.moves += 1;
    this.movement.movedBytes += shard.bytes;
    const removed = shard.replicas.find(({ role }) => role === 'leaving')?.node ?? null;
    if (removed !== null) this.#noteLeft(shard.id, removed);
    const movedFrom = removed === null ? shard.movedFrom : [removed, ...shard.movedFrom].slice(0, remembered);
    const replicas = shard.replicas
      .filter(({ role }) => role !== 'leaving')
      .map(({ node }): ReplicaView => ({ node, role: 'voter' }));
    const replaces = replicas.some(({ node }) => node === shard.replaces) ? shard.replaces : null;
    const epoch = { ...shard.epoch, membership: shard.epoch.membership + 1 };
    this.setShard({ ...shard, epoch, replicas, replaces, movedFrom, operation: null });
  }

  #remove(shard: ShardView, node: number): void {
    const replica = shard.replicas.find((its) => its.node === node)!;
    if (replica.role === 'voter') this.#noteLeft(shard.id, node);
    else this.movement.wastedBytes += shard.bytes;
    const replaces = replica.role !== 'voter' || node === shard.replaces ? null : shard.replaces;
    this.setShard({ ...shard, replicas: shard.replicas.filter((its) => its !== replica), replaces });
  }

  /** A replica whose node was lost, or just comes back, did not go of placement's own will: it may come back too. */
  #noteLeft(shard: number, node: number): void {
    const { silent, sinceMs } = this.node(node);
    if (!silent && this.nowMs - sinceMs > returnMs) this.#left.add(placeKey(shard, node));
  }

  #split(shard: ShardView): void {
    this.movement.splits += 1;
    const id = this.#nextShard;
    this.#nextShard += 1;
    const half = (value: number): number => Math.floor(value / 2);
    const child: ShardView = {
      ...shard,
      id,
      left: shard.id,
      epoch: { membership: shard.epoch.membership, range: 1 },
      bytes: half(shard.bytes),
      writes: half(shard.writes),
      reads: half(shard.reads),
    };
    const epoch = { ...shard.epoch, range: shard.epoch.range + 1 };
    this.setShard({
      ...shard,
      right: id,
      epoch,
      bytes: shard.bytes - child.bytes,
      writes: shard.writes - child.writes,
      reads: shard.reads - child.reads,
    });
    this.setShard(child);
    const right = child.right === null ? null : this.state.shard(child.right);
    if (right !== null) this.setShard({ ...right, left: id });
  }

  #merge(shard: ShardView, into: ShardView): void {
    this.movement.merges += 1;
    this.state.removeShard(shard.id);
    this.setShard({
      ...into,
      left: shard.left,
      epoch: { ...into.epoch, range: into.epoch.range + 1 },
      bytes: into.bytes + shard.bytes,
      writes: into.writes + shard.writes,
      reads: into.reads + shard.reads,
    });
    const left = shard.left === null ? null : this.state.shard(shard.left);
    if (left !== null) this.setShard({ ...left, right: into.id });
  }

  #electLater(shard: number): void {
    this.#queue.push(this.nowMs + 1000 + this.options.random.below(1000), { kind: 'elect', shard });
  }

  #elect(id: number): void {
    const shard = this.state.shard(id);
    if (shard === null || shard.leader !== null) return;
    for (const { node } of shard.replicas) this.#leftOffices.delete(placeKey(id, node));
    const voters = shard.replicas.filter(({ role }) => role !== 'learner' && role !== 'caught-up');
    const live = voters.filter(({ node }) => !this.node(node).silent);
    if (live.length <= voters.length >> 1) return;
    // Who leaves leads only if nobody else can.
    const staying = live.filter(({ role }) => role !== 'leaving');
    const candidates = staying.length > 0 ? staying : live;
    this.setShard({ ...shard, leader: candidates[this.options.random.below(candidates.length)]!.node });
  }
}

const remembered = placementLimits.movesRemembered;
/** As long as a move that was decided before its node came back may take. */
const returnMs = 60_000;

function isSurplus(view: ShardView, settings: PlacementSettings): boolean {
  return view.replicas.length > (settings.policies[view.policy]?.replicas ?? 0);
}

function placeKey(shard: number, node: number): number {
  return shard * 0x10_0000 + node;
}
