import type { ClusterConfiguration, ShardId } from '@flotilla/store';
import type { ClusterState, NodeStatus, ShardReport, ShardStatus } from './cluster-state.ts';
import { movedFromOf } from './moved-from.ts';
import { wishesOf } from './wishes.ts';

/** What is heard of nodes, beside what the order has. */
export interface Heard {
  readonly nowMs: number;
  node(node: number): Pick<NodeStatus, 'live' | 'sinceMs' | 'usedBytes' | 'capacityBytes'>;
  /** Of the leader of the latest term; null: nobody has said that it leads. */
  report(shard: ShardId): ShardReport | null;
}

/** The cluster as the order and its nodes have it now. */
export function observedState(configuration: ClusterConfiguration, heard: Heard): ClusterState {
  const movedFrom = movedFromOf(configuration.changes);
  return {
    nowMs: heard.nowMs,
    configuration: configuration.number,
    nodes: configuration.nodes.flatMap(({ node, state, zone, labels }): NodeStatus[] => {
      if (state === 'left') return [];
      const texts = labels.map(({ name, value }) => `${name}=${value}`);
      return [{ node, state, zone, labels: texts, ...heard.node(node) }];
    }),
    shards: configuration.map.rows.map(({ shard, span, range, membership, nodes }): ShardStatus => ({
      shard,
      span,
      range,
      membership,
      nodes,
      assigned: configuration.assignment(shard)?.nodes ?? null,
      report: heard.report(shard),
      movedFrom: movedFrom.get(shard) ?? [],
    })),
    wishes: wishesOf(configuration),
  };
}
