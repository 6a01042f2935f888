import type { ShardId } from '@flotilla/store';
import { orderShard } from '@flotilla/store';
import { majority } from '../../placement/needs.ts';
import type { Operation } from '../../placement/operation.ts';
import { limits } from '../../limits.ts';
import { groupOf } from '../node-groups.ts';
import {
  type ClusterState,
  isSettled,
  type NodeStatus,
  sameNodes,
  type ShardReport,
  type ShardStatus,
} from './cluster-state.ts';
import type { Step } from './next-steps.ts';

/** A group as placement sees it: one node, whose id is the lowest of its nodes. */
interface NodeGroup {
  readonly id: number;
  /** Null: a node that is in none; it takes nothing, and gives away what it has. */
  readonly name: string | null;
  readonly nodes: readonly NodeStatus[];
}

/**
 * Placement by groups of nodes: what is known of nodes is put together to what it would be of groups, each shard with
 * one replica, and what is decided about groups becomes something about their nodes. Beside that a group's shards are on
 * as many of its nodes as they can be. A group with fewer nodes than that counts as one that leaves.
 */
export class GroupedPlacement {
  /** As placement sees the cluster. */
  readonly view: ClusterState;
  readonly #state: ClusterState;
  readonly #groups: readonly NodeGroup[];
  readonly #groupOf = new Map<number, NodeGroup>();

  private constructor(state: ClusterState) {
    this.#state = state;
    this.#groups = groupsIn(state.nodes);
    for (const group of this.#groups) for (const { node } of group.nodes) this.#groupOf.set(node, group);
    const wishes = { ...state.wishes, replicas: 1, replicasOf: new Map<ShardId, number>() };
    this.view = {
      ...state,
      nodes: this.#groups.map((group) => this.#statusOf(group)),
      shards: state.shards.map((status) => (status.shard === orderShard ? status : this.#shardOf(status))),
      wishes,
    };
  }

  /** Null: no node that has joined is in a group. */
  static of(state: ClusterState): GroupedPlacement | null {
    const isGrouped = state.nodes.some((node) => node.state === 'joined' && groupOf(node.labels) !== null);
    return isGrouped ? new GroupedPlacement(state) : null;
  }

  /** Where a shard would be on the group of a node; empty: that is in none, or too few nodes of it could take it. */
  nodesBeside(node: number): readonly number[] {
    const group = this.#groupOf.get(node);
    return group === undefined || group.name === null ? [] : this.#fill(group, []);
  }

  /** Whether anything could be somewhere without this node's group. */
  hasOthers(node: number): boolean {
    const own = this.#groupOf.get(node);
    return this.#groups.some((group) => group !== own && this.#isServing(group));
  }

  /**
   * What is to be done within groups. Those shards, and others that are not where they should be, are left alone by
   * placement meanwhile: that is added to what is under way.
   */
  stepsWithin(underWay: Map<ShardId, Operation>): Step[] {
    const { configuration, shards } = this.#state;
    const steps: Step[] = [];
    for (const status of shards) {
      const { shard, membership, range, report } = status;
      if (shard === orderShard || report === null || report.draining || underWay.has(shard)) continue;
      const nodes = this.#wanted(status, report);
      const isElsewhere = this.view.shards.some((view) => view.shard === shard && !isSettled(view));
      if (nodes === null && (isSettled(status) || isElsewhere)) continue;
      if (nodes !== null) steps.push({ kind: 'assign', shard, nodes, configuration, why: 'add-missing' });
      const epoch = { membership, range };
      underWay.set(shard, { kind: 'finish-change', shard, epoch, reason: 'complete-change' });
    }
    return steps;
  }

  /** What a step about groups is for nodes; null: nothing. */
  stepOf(step: Step): Step | null {
    if (step.kind === 'transfer-leader') return null;
    if (step.kind !== 'assign') return step;
    const [id] = step.nodes;
    const group = this.#groups.find((its) => its.id === id);
    if (group === undefined) return null;
    const voters = this.#state.shards.find(({ shard }) => shard === step.shard)?.report?.voters ?? [];
    const stay = voters.filter((node) => this.#groupOf.get(node) === group);
    const nodes = stay.length > 0 ? stay : this.#fill(group, []);
    return nodes.length === 0 ? null : { ...step, nodes };
  }

  /** Null: it is where it should be in its group, or on its way there, and nothing keeps it. */
  #wanted(status: ShardStatus, report: ShardReport): readonly number[] | null {
    const { voters, learners } = report;
    const { nowMs } = this.#state;
    const awake = this.#state.nodes.filter(
      (its) => its.live || nowMs - its.sinceMs < limits.newcomerAwaitedMs,
    );
    const live = new Set(awake.map(({ node }) => node));
    if (!isSettled(status)) {
      // A newcomer that sleeps is not waited for, if there are enough without it.
      const { assigned } = status;
      const rest = assigned?.filter((node) => voters.includes(node) || live.has(node)) ?? [];
      const isKept = assigned === null || rest.length === assigned.length || report.outgoing.length > 0;
      // (A group that drains gets nothing, whoever of it is awake.)
      if (assigned?.some((node) => !voters.includes(node) && this.#drains(node)) === true) return null;
      return isKept || rest.length < majority(this.#replicas) ? null : rest;
    }
    const home = this.#homeOf(voters);
    if (home === null || home.name === null || !this.#isServing(home) || learners.length > 0) return null;
    const stay = voters.filter((node) =>
      home.nodes.some((its) => its.node === node && its.state === 'joined'),
    );
    const nodes = this.#fill(home, stay);
    return nodes.length < stay.length || nodes.length === 0 || sameNodes(nodes, voters) ? null : nodes;
  }

  #drains(node: number): boolean {
    const group = this.#groupOf.get(node);
    return group === undefined || !this.#isServing(group);
  }

  /** These nodes of a group and live others, as many as there should be; empty: too few. */
  #fill(group: NodeGroup, stay: readonly number[]): readonly number[] {
    const others = group.nodes.filter(
      ({ node, live, state }) => live && state === 'joined' && !stay.includes(node),
    );
    const nodes = [...stay, ...others.map(({ node }) => node)].slice(0, this.#replicas);
    return nodes.length < majority(this.#replicas) ? [] : nodes.sort((a, b) => a - b);
  }

  get #replicas(): number {
    const { replicas, replicasOf } = this.#state.wishes;
    return Math.max(replicas, ...replicasOf.values());
  }

  #isServing({ name, nodes }: NodeGroup): boolean {
    return name !== null && nodes.filter(({ state }) => state === 'joined').length >= this.#replicas;
  }

  #statusOf(group: NodeGroup): NodeStatus {
    const live = group.nodes.filter((its) => its.live);
    const isLive = live.length >= majority(Math.min(group.nodes.length, this.#replicas));
    const counted = isLive ? live : group.nodes.filter((its) => !its.live);
    return {
      node: group.id,
      state: this.#isServing(group) ? 'joined' : 'draining',
      zone: '',
      labels: [],
      live: isLive,
      sinceMs: Math.max(...counted.map(({ sinceMs }) => sinceMs)),
      // (Of nodes that were never heard of nothing is known.)
      usedBytes: Math.max(...counted.map(({ usedBytes }) => usedBytes)),
      capacityBytes: Math.min(...counted.map(({ capacityBytes }) => capacityBytes)),
    };
  }

  #shardOf(status: ShardStatus): ShardStatus {
    const { nodes, assigned, report, movedFrom } = status;
    const home = this.#idOf(report?.voters ?? nodes, assigned ?? []);
    return {
      ...status,
      nodes: [home],
      assigned: assigned === null ? null : [this.#idOf(assigned)],
      report: report === null ? null : this.#reportOf(report, home),
      movedFrom: [...new Set(movedFrom.map((node) => this.#idOf([node])))].filter((id) => id !== home),
    };
  }

  #reportOf(report: ShardReport, home: number): ShardReport {
    const learners = new Set(report.learners.map((node) => this.#idOf([node])));
    learners.delete(home);
    return { ...report, leader: home, voters: [home], learners: [...learners] };
  }

  #idOf(nodes: readonly number[], preferred: readonly number[] = []): number {
    return this.#homeOf(nodes, preferred)?.id ?? nodes[0] ?? 0;
  }

  /** The group that has most of these nodes; of two that have as many, that of the others. */
  #homeOf(nodes: readonly number[], preferred: readonly number[] = []): NodeGroup | null {
    const counts = new Map<NodeGroup, number>();
    const count = (node: number, weight: number): void => {
      const group = this.#groupOf.get(node);
      if (group !== undefined) counts.set(group, (counts.get(group) ?? 0) + weight);
    };
    for (const node of nodes) count(node, 1);
    for (const node of preferred) if (nodes.includes(node)) count(node, 1 / 16);
    const [most] = [...counts].sort(([a, many], [b, more]) => more - many || a.id - b.id);
    return most?.[0] ?? null;
  }
}

function groupsIn(nodes: readonly NodeStatus[]): readonly NodeGroup[] {
  const groups = new Map<string, NodeStatus[]>();
  for (const status of nodes) {
    const name = groupOf(status.labels);
    const key = name === null ? `node ${status.node}` : `group ${name}`;
    groups.set(key, [...(groups.get(key) ?? []), status]);
  }
  return [...groups.values()].map((its) => ({
    id: Math.min(...its.map(({ node }) => node)),
    name: groupOf(its[0]?.labels ?? []),
    nodes: its,
  }));
}
