import { assert } from '@flotilla/platform';
import { nodeLives, type NodeView, type ShardView } from './cluster-view.ts';
import { IndexedSet } from './indexed-set.ts';
import { need, needOf, needs } from './needs.ts';
import { NodeTable } from './node-table.ts';
import type { Operation } from './operation.ts';
import { placementLimits, type PlacementSettings } from './settings.ts';
import { roleCodes, ShardTable } from './shard-table.ts';

/**
 * What placement knows of the cluster, as columns of numbers with their sums, so that a call costs what has changed and
 * not what there is. Its owner tells it what happens; {@link plan} only reads it. It is a function of the views that it
 * was told, and a new controller builds it from them.
 */
export class PlacementState {
  readonly settings: PlacementSettings;
  readonly nodes = new NodeTable();
  readonly shards: ShardTable;
  /** By need: the rows that have it. */
  readonly needy: readonly IndexedSet[] = needs.map(() => new IndexedSet());
  /** Bytes that may be moved for balance alone. Below zero while a shard larger than the rest of it is paid for. */
  budgetBytes = 0;
  nowMs = 0;
  /** Shards on the way: with a learner that catches up, or an operation in flight. */
  underWay = 0;
  readonly shardsOfPolicy = new Int32Array(32);
  /** By policy and zone: nodes that may hold replicas, now or after a pause. */
  #open: Int32Array[] = [];

  constructor(
    settings: PlacementSettings,
    options: { readonly replicasMax?: number; readonly shards?: number } = {},
  ) {
    this.settings = settings;
    const replicasMax = Math.max(
      options.replicasMax ?? 7,
      ...settings.policies.map(({ replicas }) => replicas),
    );
    this.shards = new ShardTable(replicasMax, options.shards ?? 64);
    assert(settings.policies.length >= 1 && settings.policies.length <= 31, 'there are 1 to 31 policies');
    assert(settings.mergeBytes * 2 <= settings.splitBytes, 'what a split makes is not merged again');
    assert(settings.mergeLoad * 2 <= settings.splitLoad, 'what a split makes is not merged again');
  }

  /** A state with everything that is in these views. */
  static of(
    settings: PlacementSettings,
    nowMs: number,
    nodes: readonly NodeView[],
    shards: Iterable<ShardView>,
    options: { readonly replicasMax?: number; readonly shards?: number } = {},
  ): PlacementState {
    const state = new PlacementState(settings, options);
    state.nowMs = nowMs;
    state.nodes.addAll(nodes);
    for (const view of nodes) state.#readNode(state.nodes.placeOf(view.id), view);
    state.#countOpen();
    for (const view of shards) state.setShard(view);
    // A shard may have come before its neighbour.
    state.#sortAll();
    return state;
  }

  /** Time passes: nodes become lost, or steady. */
  advance(nowMs: number): void {
    assert(nowMs >= this.nowMs, 'time goes forward');
    this.nowMs = nowMs;
    for (let place = 0; place < this.nodes.count; place += 1) {
      const view = this.nodes.views[place] as NodeView;
      if (view.silent ? this.nodes.lost[place] === 0 : this.nodes.steady[place] === 0)
        this.#changeNode(place, view);
    }
  }

  setNode(view: NodeView): void {
    const known = this.nodes.placeOf(view.id);
    this.#changeNode(known >= 0 ? known : this.nodes.add(view), view);
  }

  setShard(view: ShardView): void {
    const known = this.shards.rowOf(view.id);
    const row = known >= 0 ? known : this.shards.make(view.id);
    if (known >= 0) {
      this.#count(row, -1);
      this.#unlist(row);
    }
    this.shards.write(row, view, this.nodes);
    this.#list(row);
    this.#count(row, 1);
    this.#sort(row);
    this.#sort(this.shards.rowOf(this.shards.left[row] as number));
  }

  removeShard(id: number): void {
    const row = this.shards.rowOf(id);
    assert(row >= 0, () => `shard ${id} is there`);
    this.#count(row, -1);
    this.#unlist(row);
    this.#file(row, need.nothing);
    this.shards.operations.delete(row);
    this.shards.drop(row);
    this.#sort(this.shards.rowOf(this.shards.left[row] as number));
  }

  /** An operation that {@link plan} has decided is handed out: it counts as done, and its shard is left alone. */
  begin(operation: Operation): void {
    const row = this.shards.rowOf(operation.shard);
    assert(row >= 0 && !this.shards.operations.has(row), 'a shard has one operation in flight');
    this.#count(row, -1);
    this.shards.operations.set(row, operation);
    if (operation.kind === 'add-learner') {
      this.shards.replaces[row] = operation.replaces === null ? -1 : this.nodes.placeOf(operation.replaces);
    }
    this.#count(row, 1);
    this.#sort(row);
    if (operation.kind === 'merge') this.#sort(this.shards.rowOf(operation.into));
  }

  shard(id: number): ShardView | null {
    const row = this.shards.rowOf(id);
    return row < 0 ? null : this.shards.view(row, this.nodes);
  }

  *shardViews(): IterableIterator<ShardView> {
    for (const row of this.shards.rows()) yield this.shards.view(row, this.nodes);
  }

  loadOf(row: number): number {
    return (this.shards.writes[row] as number) + (this.shards.reads[row] as number);
  }

  replicasOf(row: number): number {
    return this.settings.policies[this.shards.policy[row] as number]?.replicas ?? 0;
  }

  /** Nodes of a zone that a policy's replicas may be on. */
  openIn(policy: number, zone: number): number {
    return this.#open[policy]?.[zone] ?? 0;
  }

  /** How many voters more its fullest zone has than its emptiest one that has nodes for it. 2 or more is to be mended. */
  spreadOf(row: number): number {
    const { shards, nodes } = this;
    const zones = nodes.zones.length;
    if (zones < 2) return 0;
    if (zoneCounts.length < zones) zoneCounts = new Int32Array(zones * 2);
    zoneCounts.fill(0, 0, zones);
    let most = 0;
    const end = (row + 1) * shards.stride;
    for (let at = row * shards.stride; at < end; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0 || shards.role[at] !== roleCodes.voter) continue;
      const zone = nodes.zone[node] as number;
      const count = (zoneCounts[zone] as number) + 1;
      zoneCounts[zone] = count;
      most = Math.max(most, count);
    }
    if (most < 2) return 0;
    let least = most;
    for (let zone = 0; zone < zones; zone += 1) {
      if (this.openIn(shards.policy[row] as number, zone) > (zoneCounts[zone] as number)) {
        least = Math.min(least, zoneCounts[zone] as number);
      }
    }
    return most - least;
  }

  #changeNode(place: number, view: NodeView): void {
    const { nodes } = this;
    const before = this.#standing(place);
    const openBefore = this.#open.map((zones) => zones.map((count) => Math.min(count, zonesCountedTo)));
    this.#readNode(place, view);
    if (before === this.#standing(place)) return;
    this.#countOpen();
    const opened = this.#open.some((zones, policy) =>
      zones.some((count, zone) => Math.min(count, zonesCountedTo) !== (openBefore[policy]?.[zone] ?? 0)),
    );
    if (opened) this.#sortAll();
    else {
      const list = nodes.lists[place] as Int32Array;
      for (let at = 0; at < (nodes.listed[place] as number); at += 1) {
        this.#sort(Math.floor((list[at] as number) / this.shards.stride));
      }
    }
  }

  #readNode(place: number, view: NodeView): void {
    const { nodes, settings } = this;
    nodes.views[place] = view;
    nodes.zone[place] = nodes.zoneOf(view.zone);
    nodes.life[place] = nodeLives.indexOf(view.life);
    const forMs = this.nowMs - view.sinceMs;
    nodes.heard[place] = view.silent ? 0 : 1;
    nodes.lost[place] = view.silent && forMs >= settings.lostAfterMs ? 1 : 0;
    nodes.steady[place] = !view.silent && forMs >= settings.steadyAfterMs ? 1 : 0;
    nodes.capacityBytes[place] = view.capacityBytes;
    nodes.capacityLoad[place] = view.capacityLoad;
    nodes.usedBytes[place] = view.usedBytes;
    let bits = 0;
    settings.policies.forEach(({ labels }, policy) => {
      if (labels.every((label) => view.labels.includes(label))) bits |= 1 << policy;
    });
    nodes.policies[place] = bits;
  }

  /** Everything of a node that the needs of shards depend on. */
  #standing(place: number): string {
    const { nodes } = this;
    const { heard, lost, life, zone, policies } = nodes;
    return `${heard[place]} ${lost[place]} ${life[place]} ${zone[place]} ${policies[place]}`;
  }

  #countOpen(): void {
    const { nodes } = this;
    this.#open = this.settings.policies.map((_, policy) => {
      const zones = new Int32Array(nodes.zones.length);
      for (let place = 0; place < nodes.count; place += 1) {
        const isOpen = nodes.isServing(place) && nodes.lost[place] === 0;
        if (!isOpen || ((nodes.policies[place] as number) & (1 << policy)) === 0) continue;
        const zone = nodes.zone[place] as number;
        zones[zone] = (zones[zone] as number) + 1;
      }
      return zones;
    });
  }

  #list(row: number): void {
    const { shards, nodes } = this;
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node >= 0) shards.listed[at] = nodes.list(node, at);
    }
  }

  #unlist(row: number): void {
    const { shards, nodes } = this;
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0) continue;
      const moved = nodes.unlist(node, shards.listed[at] as number);
      if (moved >= 0) shards.listed[moved] = shards.listed[at] as number;
    }
  }

  /** Adds what a shard is to its nodes, or takes it away: as it will be when what is in flight has arrived. */
  #count(row: number, sign: number): void {
    const { shards, nodes } = this;
    const operation = shards.operations.get(row);
    const leader = shards.leader[row] as number;
    const replaces = shards.replaces[row] as number;
    const removed = operation?.kind === 'remove' ? nodes.placeOf(operation.node) : -1;
    let isUnderWay = operation !== undefined;
    for (let at = row * shards.stride; at < (row + 1) * shards.stride; at += 1) {
      const node = shards.node[at] as number;
      if (node < 0) continue;
      const role = shards.role[at];
      if (role === roleCodes.learner) {
        this.#countIncoming(row, node, leader, sign);
        isUnderWay = true;
      }
      if (node === replaces || node === removed || role === roleCodes.leaving) continue;
      this.#countReplica(row, node, sign);
    }
    if (operation?.kind === 'add-learner') {
      const node = nodes.placeOf(operation.node);
      this.#countIncoming(row, node, leader, sign);
      this.#countReplica(row, node, sign);
    }
    if (isUnderWay) this.underWay += sign;
    const policy = shards.policy[row] as number;
    this.shardsOfPolicy[policy] = (this.shardsOfPolicy[policy] as number) + sign;
    const isTransfer = operation?.kind === 'transfer-leader';
    const office = isTransfer ? nodes.placeOf(operation.to) : leader;
    if (office >= 0) this.#countLeader(row, office, sign);
    if (isTransfer) {
      nodes.transfers[office] = (nodes.transfers[office] as number) + sign;
      if (leader >= 0) nodes.transfers[leader] = (nodes.transfers[leader] as number) + sign;
    }
  }

  #countReplica(row: number, node: number, sign: number): void {
    const [replicas, bytes, , load] = this.nodes.amounts as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    replicas[node] = (replicas[node] as number) + sign;
    bytes[node] = (bytes[node] as number) + sign * this.replicaBytes(row);
    load[node] = (load[node] as number) + sign * this.replicaLoad(row);
  }

  #countLeader(row: number, node: number, sign: number): void {
    const [, , leaders, load] = this.nodes.amounts as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    leaders[node] = (leaders[node] as number) + sign;
    load[node] = (load[node] as number) + sign * this.loadOf(row);
  }

  #countIncoming(row: number, node: number, leader: number, sign: number): void {
    const { nodes } = this;
    nodes.movesIn[node] = (nodes.movesIn[node] as number) + sign;
    nodes.incomingBytes[node] =
      (nodes.incomingBytes[node] as number) + sign * (this.shards.bytes[row] as number);
    if (leader >= 0) nodes.movesOut[leader] = (nodes.movesOut[leader] as number) + sign;
  }

  replicaBytes(row: number): number {
    return (this.shards.bytes[row] as number) + placementLimits.replicaBaseBytes;
  }

  /** Every replica applies what is written; reads, and the work of replicating, are the leader's. */
  replicaLoad(row: number): number {
    return (this.shards.writes[row] as number) + placementLimits.replicaBaseLoad;
  }

  #sortAll(): void {
    for (const row of this.shards.rows()) this.#sort(row);
  }

  #sort(row: number): void {
    if (row >= 0) this.#file(row, needOf(this, row));
  }

  #file(row: number, wanted: number): void {
    const { shards } = this;
    const now = shards.need[row] as number;
    if (now === wanted) return;
    if (now !== need.nothing) {
      const place = shards.needPlace[row] as number;
      const moved = (this.needy[now] as IndexedSet).removeAt(place);
      if (moved >= 0) shards.needPlace[moved] = place;
    }
    shards.need[row] = wanted;
    if (wanted !== need.nothing) shards.needPlace[row] = (this.needy[wanted] as IndexedSet).add(row);
  }
}

/** A zone with more nodes than a shard has replicas is as open as one with thousands. */
const zonesCountedTo = 16;
let zoneCounts = new Int32Array(16);
