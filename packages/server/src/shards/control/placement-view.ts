import type { ShardId } from '@flotilla/store';
import { orderShard } from '@flotilla/store';
import type { NodeView, ReplicaView, ShardView } from '../../placement/cluster-view.ts';
import type { Operation } from '../../placement/operation.ts';
import { PlacementState } from '../../placement/placement-state.ts';
import type { PlacementSettings } from '../../placement/settings.ts';
import { limits } from '../../limits.ts';
import {
  type ClusterState,
  isSettled,
  type NodeStatus,
  type ShardReport,
  type ShardStatus,
} from './cluster-state.ts';

/**
 * What placement is told. The order group's own shard is on every node: it is no part of it, nor is it anybody's
 * neighbour. `underWay`: what was asked of leaders and is not seen in their reports yet.
 */
export function placementStateOf(
  state: ClusterState,
  settings: PlacementSettings,
  underWay: ReadonlyMap<ShardId, Operation>,
): PlacementState {
  const shards = state.shards.map((shard, place) =>
    shardView(
      { ...state, splitBytes: settings.splitBytes },
      shard,
      neighbour(state, place - 1),
      neighbour(state, place + 1),
      underWay,
    ),
  );
  return PlacementState.of(
    { ...settings, policies: policiesOf(settings) },
    state.nowMs,
    [...state.nodes.map(nodeView), ...unknownNodes(state).map(goneView)],
    shards.filter(({ id }) => id !== orderShard),
    { replicasMax: limits.shardReplicas + limits.shardReplicasOnTheWay },
  );
}

/** The policy at place n asks for n + 1 replicas. */
function policiesOf({ policies }: PlacementSettings): PlacementSettings['policies'] {
  const labels = policies[0]?.labels ?? [];
  return Array.from({ length: limits.shardReplicas }, (_, place) => ({ replicas: place + 1, labels }));
}

export function wantedReplicas({ wishes }: Pick<ClusterState, 'wishes'>, shard: ShardId): number {
  return wishes.replicasOf.get(shard) ?? wishes.replicas;
}

function nodeView(status: NodeStatus): NodeView {
  const { node, state, zone, labels, live, sinceMs, usedBytes, capacityBytes } = status;
  return {
    id: node,
    zone,
    labels,
    life: state === 'draining' ? 'draining' : 'serving',
    silent: !live,
    sinceMs,
    capacityBytes,
    usedBytes,
    capacityLoad: limits.nodeLoad,
  };
}

/** A report may be older than the departure of a node that it names. */
function unknownNodes({ nodes, shards }: ClusterState): number[] {
  const known = new Set(nodes.map(({ node }) => node));
  const named = shards.flatMap(nodesNamed);
  return [...new Set(named)].filter((node) => !known.has(node)).sort((a, b) => a - b);
}

function nodesNamed({ report, nodes, assigned }: ShardStatus): number[] {
  return [...nodes, ...(assigned ?? []), ...(report?.voters ?? []), ...(report?.learners ?? [])];
}

function goneView(id: number): NodeView {
  const nothing = { capacityBytes: 0, usedBytes: 0, capacityLoad: 0 };
  return { id, zone: '', labels: [], life: 'draining', silent: true, sinceMs: -Infinity, ...nothing };
}

/** What cannot be split is not larger than what need not be. */
export function divisibleBytes(report: ShardReport | null, splitBytes: number): number {
  if (report === null) return 0;
  return report.divisible ? report.bytes : Math.min(report.bytes, splitBytes);
}

function shardView(
  state: ClusterState & Pick<PlacementSettings, 'splitBytes'>,
  status: ShardStatus,
  left: ShardId | null,
  right: ShardId | null,
  underWay: ReadonlyMap<ShardId, Operation>,
): ShardView {
  const { shard, report, membership, range, movedFrom } = status;
  const policy = Math.min(Math.max(wantedReplicas(state, shard), 1), limits.shardReplicas) - 1;
  return {
    id: shard,
    left,
    right,
    epoch: { membership, range },
    policy,
    bytes: divisibleBytes(report, state.splitBytes),
    writes: report?.writes ?? 0,
    reads: report?.reads ?? 0,
    hotKey: report?.hotKey ?? false,
    // One that is about to be merged by hand is merged by that.
    sticky: state.wishes.kept.has(shard) || state.wishes.merges.has(shard),
    replicas: replicasOf(status),
    leader: report?.leader ?? null,
    replaces: replacedBy(status),
    movedFrom,
    operation: underWay.get(shard) ?? ownWay(status),
  };
}

/** Voters, and beside them whoever is wanted: somebody who learns, or shall begin to. */
function replicasOf({ nodes, assigned, report }: ShardStatus): ReplicaView[] {
  const voters = report?.voters ?? nodes;
  const learners = [...(report?.learners ?? []), ...(assigned ?? [])].filter(
    (node) => !voters.includes(node),
  );
  return [
    ...voters.map((node): ReplicaView => ({ node, role: 'voter' })),
    ...[...new Set(learners)].map((node): ReplicaView => ({ node, role: 'learner' })),
  ];
}

function replacedBy({ nodes, assigned, report }: ShardStatus): number | null {
  if (assigned === null) return null;
  return (report?.voters ?? nodes).find((node) => !assigned.includes(node)) ?? null;
}

/** A shard that is on its way without a learner is left alone, too: its leader knows what to do. */
function ownWay(status: ShardStatus): Operation | null {
  const { shard, membership, range, report, assigned } = status;
  if (report === null || isSettled(status)) return null;
  const decided = { shard, epoch: { membership, range }, reason: 'complete-change' } as const;
  if (report.draining || report.outgoing.length > 0) return { ...decided, kind: 'finish-change' };
  const waits = [...report.learners, ...(assigned ?? [])].some((node) => !report.voters.includes(node));
  return waits ? null : { ...decided, kind: 'finish-change' };
}

function neighbour({ shards }: ClusterState, place: number): ShardId | null {
  const shard = shards[place]?.shard ?? null;
  return shard === orderShard ? null : shard;
}
