import type { OrderMachine } from '@flotilla/store';
import { limits } from '../limits.ts';

/** Where a shard that is split off shard 0, which is everywhere, begins: on the nodes that have the fewest shards. */
export function nodesForChild({ configuration, map }: OrderMachine): readonly number[] {
  const counts = new Map<number, number>();
  for (const { node, state } of configuration.nodes) if (state === 'joined') counts.set(node, 0);
  for (const { shard, nodes } of map.rows) {
    if (shard === 0) continue;
    for (const node of nodes) {
      const count = counts.get(node);
      if (count !== undefined) counts.set(node, count + 1);
    }
  }
  return [...counts]
    .sort(([a, few], [b, many]) => few - many || a - b)
    .slice(0, limits.shardReplicasByDefault)
    .map(([node]) => node);
}
