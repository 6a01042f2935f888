import { unreachable } from '@flotilla/platform';
import {
  type ClusterConfiguration,
  type ConfigurationChange,
  type ConfigurationStep,
  orderShard,
  type RangeChange,
  type ShardId,
} from '@flotilla/store';
import {
  type NodeInfo,
  type Shard,
  type ShardChange,
  type ShardHistoryResponse,
  type ShardQueryResponse,
  type ShardReplica,
  ShardReplicaRole,
} from '@flotilla/wire';
import { type ClusterState, isSettled, type ShardStatus } from './cluster-state.ts';
import { keyText } from './key-text.ts';
import { wantedReplicas } from './placement-view.ts';
import { shardRefusal } from './refusals.ts';

/** Who a node is beside its number. */
export interface NodeName {
  readonly name: string;
  readonly memberId: bigint;
}

export function shardRows(state: ClusterState): Shard[] {
  return state.shards.map((status): Shard => {
    const { shard, span, range, membership, report } = status;
    return {
      shard,
      start: span.from,
      end: span.to ?? noKey,
      rangeVersion: range,
      membershipVersion: membership,
      replicas: replicasOf(status),
      leader: report?.leader ?? 0,
      sizeBytes: report?.bytes ?? 0,
      keys: report?.keys ?? 0,
      writesPerSecond: report?.writes ?? 0,
      readsPerSecond: report?.reads ?? 0,
      underWay: underWay(state, status),
      wantedReplicas: shard === orderShard ? status.nodes.length : wantedReplicas(state, shard),
      kept: state.wishes.kept.has(shard),
    };
  });
}

const noKey = new Uint8Array(0);

function replicasOf({ nodes, assigned, report }: ShardStatus): ShardReplica[] {
  const voters = [...new Set([...(report?.voters ?? nodes), ...(report?.outgoing ?? [])])];
  const learners = (report?.learners ?? []).filter((node) => !voters.includes(node));
  const wanted = (assigned ?? []).filter((node) => !voters.includes(node) && !learners.includes(node));
  const leaves = (node: number): boolean => assigned !== null && !assigned.includes(node);
  const of = (list: readonly number[], role: ShardReplicaRole): ShardReplica[] =>
    list.map((node) => ({ node, role, leaving: leaves(node) }));
  return [
    ...of(voters, ShardReplicaRole.VOTER),
    ...of(learners, ShardReplicaRole.LEARNER),
    ...of(wanted, ShardReplicaRole.WANTED),
  ].sort((a, b) => a.node - b.node);
}

/** In words; empty: nothing. */
export function underWay({ wishes }: ClusterState, status: ShardStatus): string {
  const { shard, report } = status;
  const into = wishes.merges.get(shard);
  if (report === null) return 'has no leader';
  if (report.draining) return into === undefined ? 'drains for a change of its range' : `merges into ${into}`;
  if (into !== undefined) return `is moved to be merged into ${into}`;
  if (shard === orderShard || isSettled(status)) return '';
  return report.learners.length > 0 ? 'moves: a replica catches up' : 'moves';
}

export function nodeRows(state: ClusterState, nameOf: (node: number) => NodeName | null): NodeInfo[] {
  return state.nodes.map(({ node, state: life, zone, labels, live, usedBytes }): NodeInfo => {
    const { name = '', memberId = 0n } = nameOf(node) ?? {};
    const holds = state.shards.filter(({ nodes }) => nodes.includes(node));
    return {
      node,
      name,
      memberId,
      state: life,
      zone,
      labels: labels.map((label) => {
        const at = label.indexOf('=');
        return { name: label.slice(0, at), value: label.slice(at + 1) };
      }),
      live,
      replicas: holds.length,
      leaders: state.shards.filter(({ report }) => report?.leader === node).length,
      sizeBytes: usedBytes,
      leaving: state.wishes.leaving.has(node),
    };
  });
}

/** -1 and 0: the latest. */
export function queryConfiguration(configuration: ClusterConfiguration, number: number): ShardQueryResponse {
  const wanted = number <= 0 ? configuration.number : number;
  const map = configuration.at(wanted);
  if (map === null) {
    const { oldest, number: latest } = configuration;
    const text = `configuration ${wanted} is not known; those from ${oldest} to ${latest} are`;
    throw shardRefusal('no-such-configuration', text);
  }
  return {
    configuration: wanted,
    shards: map.rows.map(({ shard, span, range, membership, nodes }) => ({
      shard,
      start: span.from,
      end: span.to ?? noKey,
      rangeVersion: range,
      membershipVersion: membership,
      nodes,
    })),
  };
}

/** `shard` -1: of all. The oldest first; `limit` 0: all that are kept. */
export function historyOf(
  { number, oldest, changes }: ClusterConfiguration,
  shard: ShardId,
  limit: number,
): ShardHistoryResponse {
  const wanted = changes.filter((change) => shard < 0 || shardsOf(change).includes(shard));
  const latest = limit > 0 ? wanted.slice(-limit) : wanted;
  return { configuration: number, oldest, changes: latest.map(changeRow) };
}

function changeRow(change: ConfigurationChange): ShardChange {
  const { configuration, index, revision, step } = change;
  return { configuration, index, revision, kind: step.kind, text: textOf(change), shards: shardsOf(change) };
}

function shardsOf({ step }: ConfigurationChange): ShardId[] {
  switch (step.kind) {
    case 'split':
      return [step.shard, step.child];
    case 'merge':
      return [step.shard, step.into];
    case 'refused':
      return [step.change.shard];
    case 'members':
    case 'assign':
      return [step.shard];
    case 'wish':
      return step.wish === 'leaving' || step.id < 0 ? [] : [step.id];
    case 'begin':
    case 'node':
    case 'presplit':
      return [];
    default:
      return unreachable(step);
  }
}

function textOf({ step }: ConfigurationChange): string {
  switch (step.kind) {
    case 'begin':
      return 'the cluster became sharded';
    case 'split':
      return `shard ${step.child} was split off shard ${step.shard} at ${keyText(step.at)}`;
    case 'merge':
      return `shard ${step.shard} was merged into shard ${step.into}`;
    case 'refused':
      return `${refusedText(step.change)} was refused`;
    case 'members':
      return `shard ${step.shard} is on ${nodesText(step.nodes)}`;
    case 'node':
      return `node ${step.node} ${step.state === 'draining' ? 'drains' : `has ${step.state}`}`;
    case 'assign':
      return `shard ${step.shard} is wanted on ${nodesText(step.nodes)}`;
    case 'wish':
      return wishText(step);
    case 'presplit':
      return `shards shall begin at ${step.keys} keys`;
    default:
      return unreachable(step);
  }
}

function wishText({ wish, id, value }: ConfigurationStep & { readonly kind: 'wish' }): string {
  const subject = id < 0 ? 'every shard' : `shard ${id}`;
  switch (wish) {
    case 'replicas':
      return value === null
        ? `${subject} has no number of its own`
        : `${subject} shall have ${value} replicas`;
    case 'kept':
      return value === null ? `${subject} may be merged` : `${subject} is kept as it is`;
    case 'merge':
      return value === null
        ? `${subject} is not to be merged`
        : `${subject} shall be merged into shard ${value}`;
    case 'leaving':
      return value === null ? `node ${id} stays` : `node ${id} shall leave`;
    default:
      return unreachable(wish);
  }
}

function refusedText(change: RangeChange): string {
  return change.kind === 'split'
    ? `a split of shard ${change.shard} at ${keyText(change.at)}`
    : `a merge of shard ${change.shard} into ${change.into}`;
}

function nodesText(nodes: readonly number[]): string {
  return nodes.length === 1 ? `node ${nodes[0]}` : `nodes ${nodes.join(', ')}`;
}
