import { orderShard, type OrderMachine, type ShardId, type ShardRow } from '@flotilla/store';
import type { Onlooker } from '../../api/shards.ts';
import type { ClusterState, ShardStatus } from './cluster-state.ts';
import { GroupedPlacement } from './grouped-placement.ts';
import { wantedReplicas } from './placement-view.ts';
import { shardRefusal } from './refusals.ts';

export function holdersOf({ shards }: ClusterState, node: number): ShardStatus[] {
  return shards.filter(({ shard, nodes }) => shard !== orderShard && nodes.includes(node));
}

export function statusOf({ shards }: ClusterState, shard: ShardId): ShardStatus {
  const status = shards.find((its) => its.shard === shard);
  if (status !== undefined) return status;
  const ids = shards.map((its) => its.shard).sort((a, b) => a - b);
  const rest = ids.length - shardsNamed;
  const others = `${ids.slice(0, shardsNamed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
  throw shardRefusal('no-such-shard', `there is no shard ${shard}; there are ${others}`);
}

/** In the text of a refusal: more are not read. */
const shardsNamed = 20;

/** `rows`: in the order of their keys. */
export function requireNeighbours(rows: readonly ShardRow[], shard: ShardId, into: ShardId): void {
  const place = rows.findIndex((row) => row.shard === shard);
  const neighbours = [rows[place - 1], rows[place + 1]].flatMap((row) =>
    row === undefined ? [] : [row.shard],
  );
  if (neighbours.includes(into)) return;
  const which = neighbours.length === 0 ? 'it has none' : `it can be merged into ${neighbours.join(' or ')}`;
  throw shardRefusal('no-neighbours', `shard ${shard} has no border in common with shard ${into}; ${which}`);
}

/** A follower, rather than the leader; and one that is silent or draining before all. */
export function sparedNode({ nodes }: ClusterState, { nodes: its, assigned, report }: ShardStatus): number {
  const badness = (node: number): number => {
    const status = nodes.find((other) => other.node === node);
    const isGone = status === undefined || !status.live || status.state === 'draining';
    return (isGone ? 2 : 0) + (node === report?.leader ? 0 : 1);
  };
  const [worst = 0] = [...(assigned ?? its)].sort((a, b) => badness(b) - badness(a) || b - a);
  return worst;
}

export function requireMovable(
  state: ClusterState,
  { shard, nodes, assigned }: ShardStatus,
  from: number,
  to: number,
): void {
  if (shard === orderShard) {
    throw shardRefusal(
      'order-shard',
      "shard 0 is the order group's own and is on every node: split it, and move the rest",
    );
  }
  const wanted = assigned ?? nodes;
  if (!wanted.includes(from)) {
    const text = `node ${from} has no replica of shard ${shard}, or loses it already; it is on ${wanted.join(', ')}`;
    throw shardRefusal('holds-none', text);
  }
  const target = state.nodes.find(({ node }) => node === to);
  if (target === undefined) throw noNode(to, state);
  if (wanted.includes(to) || nodes.includes(to)) {
    throw shardRefusal(
      'holds-replica',
      `node ${to} has a replica of shard ${shard}, or shall get one: choose another`,
    );
  }
  const fit = state.nodes.filter(
    ({ node, live, state: its }) => live && its === 'joined' && !wanted.includes(node),
  );
  const others =
    fit.length === 0
      ? 'no other node could take it'
      : `${fit.map(({ node }) => node).join(', ')} could take it`;
  if (target.state === 'draining') throw shardRefusal('node-draining', `node ${to} is draining; ${others}`);
  if (!target.live) throw shardRefusal('node-silent', `node ${to} does not answer; ${others}`);
}

/** One replica goes to another node, or all to another group. */
export function nodesAfterMove(
  state: ClusterState,
  { assigned, nodes }: ShardStatus,
  from: number,
  to: number,
): readonly number[] {
  const grouped = GroupedPlacement.of(state);
  if (grouped === null)
    return [...(assigned ?? nodes).filter((node) => node !== from), to].sort((a, b) => a - b);
  const beside = grouped.nodesBeside(to);
  if (beside.length > 0) return beside;
  const text = `shards are on whole groups of nodes, and node ${to} is in none that could take one`;
  throw shardRefusal('bad-request', text);
}

export function requireOthers(state: ClusterState, node: number): void {
  if (GroupedPlacement.of(state)?.hasOthers(node) === false) {
    const text = `shards are on whole groups of nodes, and there is no other than that of node ${node}: have another one join first`;
    throw shardRefusal('too-few-nodes', text);
  }
  const rest = state.nodes.filter((its) => its.node !== node && its.state === 'joined').length;
  const wanted = Math.max(1, ...holdersOf(state, node).map(({ shard }) => wantedReplicas(state, shard)));
  if (rest >= wanted) return;
  const text = `without node ${node} there are ${rest} nodes, and shards shall have ${wanted} replicas: join another node, or lower that first`;
  throw shardRefusal(rest === 0 ? 'last-replica' : 'too-few-nodes', text);
}

export const noLeader = (shard: ShardId): Error =>
  shardRefusal('no-leader', `nobody leads shard ${shard} now: try again`);
export const noNode = (node: number, { nodes }: ClusterState): Error =>
  shardRefusal(
    'no-such-node',
    `there is no node ${node}; there are ${nodes.map((its) => its.node).join(', ')}`,
  );

export function rowAndAssignment(
  { configuration }: OrderMachine,
  shard: ShardId,
): {
  readonly map: ShardRow | null;
  readonly assignment: ReturnType<OrderMachine['configuration']['assignment']>;
} {
  return { map: configuration.map.row(shard), assignment: configuration.assignment(shard) };
}

export function finish(onlooker: Onlooker, shard: ShardId, text: string): void {
  onlooker.report({ shard, phase: 'done', text, done: 1, total: 1, finished: true });
}

export const notSharded = (): Error =>
  shardRefusal('not-sharded', 'the cluster is not sharded: begin with `flotilla shard begin`');
export const superseded = (text: string): Error => shardRefusal('superseded', text);

/** How many replicas of a shard are where those of its neighbour are. */
export function mergeProgress(
  { shards }: ClusterState,
  shard: ShardId,
  into: ShardId,
): Parameters<Onlooker['report']>[0] {
  const voters = shards.find((status) => status.shard === shard)?.report?.voters ?? [];
  const target = shards.find((status) => status.shard === into)?.nodes ?? [];
  const done = target.filter((node) => voters.includes(node)).length;
  const isBeside = done === target.length;
  const text = isBeside
    ? 'the shard drains'
    : `${done} of ${target.length} replicas are beside those of shard ${into}`;
  return {
    shard,
    phase: isBeside ? 'merging' : 'moving',
    text,
    done,
    total: target.length + 1,
    finished: false,
  };
}
