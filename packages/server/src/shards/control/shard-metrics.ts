import type { OrderMachine } from '@flotilla/store';
import { labelled, type Metric, type MetricType, type Sample } from '../../metrics/registry.ts';
import type { ShardControl } from './controller.ts';
import type { ControlNode, LocalShards } from './local-shards.ts';

interface ShardMetricSources {
  readonly node: Pick<ControlNode, 'order'>;
  readonly local: LocalShards;
  readonly control: Pick<ShardControl, 'counts'>;
  readonly requests: () => Iterable<Sample>;
}

/** Of a cluster that is not sharded there are none: what it shows is what it always did. */
export function shardMetrics({ node, local, control, requests }: ShardMetricSources): readonly Metric[] {
  const ofOrder = (
    name: string,
    help: string,
    read: (order: OrderMachine) => number,
    type: MetricType = 'gauge',
  ): Metric =>
    labelled(type, name, help, () => (node.order === null ? [] : [{ labels: {}, value: read(node.order) }]));
  return [
    ofOrder(
      'flotilla_shard_configuration',
      'Number of the configuration in force',
      ({ configuration }) => configuration.number,
    ),
    ofOrder('flotilla_shard_count', 'Shards that there are', ({ map }) => map.rows.length),
    ofOrder(
      'flotilla_shard_pending_facts',
      'What shards have not applied yet of what the order says',
      (order) => order.pendingFacts,
    ),
    ofOrder('flotilla_shard_assignments_open', 'Shards that are not where they are wanted', openAssignments),
    ofOrder('flotilla_shard_led', 'Shards that this node leads', () => [...local.led()].length),
    labelled('gauge', 'flotilla_shard_nodes', 'Nodes of shards, by what they do', () =>
      node.order === null ? [] : nodesByState(node.order),
    ),
    labelled(
      'counter',
      'flotilla_shard_control_steps_total',
      'Steps that this node has taken as controller, by kind',
      () =>
        node.order === null
          ? []
          : Object.entries(control.counts.steps).map(([kind, value]) => ({ labels: { kind }, value })),
    ),
    ofOrder(
      'flotilla_shard_control_refused_total',
      'Steps that were refused, or not known to be taken',
      () => control.counts.refused,
      'counter',
    ),
    labelled(
      'counter',
      'flotilla_shard_requests_total',
      'Requests of clients at this node, by kind and whether several shards had their keys',
      requests,
    ),
    ofOrder(
      'flotilla_shard_balanced_bytes_total',
      'Bytes that this node has moved for balance alone',
      () => control.counts.balancedBytes,
      'counter',
    ),
  ];
}

function openAssignments({ configuration, map }: OrderMachine): number {
  let count = 0;
  for (const { shard, nodes } of configuration.assignments) {
    const now = map.row(shard)?.nodes ?? [];
    if (now.length !== nodes.length || !nodes.every((node) => now.includes(node))) count += 1;
  }
  return count;
}

function nodesByState({
  configuration,
}: OrderMachine): { readonly labels: { readonly state: string }; readonly value: number }[] {
  const counts = new Map([
    ['joined', 0],
    ['draining', 0],
    ['left', 0],
  ]);
  for (const { state } of configuration.nodes) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, value]) => ({ labels: { state }, value }));
}
