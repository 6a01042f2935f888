import { everyShard, type OrderMachine } from '@flotilla/store';
import { limits } from '../limits.ts';
import { groupOf } from './node-groups.ts';

/**
 * Where a shard that is split off shard 0, which is everywhere, begins: on the nodes that have the fewest shards, or on
 * those of the group that has. Silent ones come last: a child whose majority is away serves nobody.
 */
export function nodesForChild(
  { configuration, map }: Pick<OrderMachine, 'configuration' | 'map'>,
  isLive: (node: number) => boolean,
): readonly number[] {
  const joined = configuration.nodes.filter(({ state }) => state === 'joined');
  const counts = new Map(joined.map(({ node }) => [node, 0]));
  for (const { shard, nodes } of map.rows) {
    if (shard === 0) continue;
    for (const node of nodes) {
      const count = counts.get(node);
      if (count !== undefined) counts.set(node, count + 1);
    }
  }
  const wanted = configuration.wishes.get('replicas', everyShard)?.value ?? limits.shardReplicasByDefault;
  const groups = new Map<string, number[]>();
  for (const { node, labels } of joined) {
    const group = groupOf(labels);
    if (group !== null) groups.set(group, [...(groups.get(group) ?? []), node]);
  }
  const live = new Set(joined.map(({ node }) => node).filter((node) => isLive(node)));
  const silent = (nodes: readonly number[]): number =>
    Math.max(0, wanted - nodes.filter((node) => live.has(node)).length);
  const load = (nodes: readonly number[]): number =>
    nodes.reduce((sum, node) => sum + (counts.get(node) ?? 0), 0) / nodes.length;
  const [group] = [...groups.values()]
    .filter((nodes) => nodes.length >= wanted)
    .sort((a, b) => silent(a) - silent(b) || load(a) - load(b) || (a[0] as number) - (b[0] as number));
  const candidates = group ?? joined.map(({ node }) => node);
  const isSilent = (node: number): number => (live.has(node) ? 0 : 1);
  const best = candidates.sort(
    (a, b) => isSilent(a) - isSilent(b) || (counts.get(a) ?? 0) - (counts.get(b) ?? 0) || a - b,
  );
  const chosen = best.slice(0, wanted);
  // More of them silent than not: those that live are all that a child can begin with.
  const voting = chosen.filter((node) => live.has(node));
  return voting.length === 0 || voting.length * 2 > chosen.length ? chosen : voting;
}
