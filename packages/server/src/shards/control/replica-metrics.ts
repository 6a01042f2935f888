import type { Platform } from '@flotilla/platform';
import { labelled, type Metric } from '../../metrics/registry.ts';
import type { NodeShard, ShardNode } from '../types.ts';

interface ReplicaMetricSources {
  readonly platform: Pick<Platform, 'now'>;
  readonly node: Pick<ShardNode, 'order' | 'replicas'>;
}

/** What the replicas of this node have not finished. Of a cluster that is not sharded there are none. */
export function replicaMetrics({ platform, node }: ReplicaMetricSources): readonly Metric[] {
  const ages = new PreparedAges(() => platform.now());
  const overReplicas = (
    name: string,
    help: string,
    read: (replicas: readonly NodeShard[]) => number,
  ): Metric =>
    labelled('gauge', name, help, () => {
      if (node.order === null) return [];
      return [{ labels: {}, value: read([...node.replicas()].filter(({ isReady }) => isReady)) }];
    });
  const sum = (count: (replica: NodeShard) => number) => (replicas: readonly NodeShard[]) =>
    replicas.reduce((total, replica) => total + count(replica), 0);
  return [
    overReplicas(
      'flotilla_shard_replicas',
      'Replicas of this node that serve, shard 0 among them',
      (all) => all.length,
    ),
    overReplicas(
      'flotilla_shard_transactions_prepared',
      'Transactions over several shards that hold locks in replicas of this node',
      sum(({ machine }) => machine.prepared.size),
    ),
    overReplicas(
      'flotilla_shard_oldest_prepared_seconds',
      'For how long the oldest of these has been seen by whoever asks',
      (replicas) => ages.oldestMs(replicas) / 1_000,
    ),
    overReplicas(
      'flotilla_shard_requests_waiting',
      'Requests in logs of replicas of this node that wait for a lock or a revision',
      sum(({ machine }) => machine.waiting),
    ),
    overReplicas(
      'flotilla_shard_replicas_draining',
      'Replicas of this node that drain for a change of their range',
      sum(({ machine }) => Number(machine.barrier !== null)),
    ),
  ];
}

/** Looks only when somebody asks, and so costs nothing otherwise: an age is counted from the first time that it was seen. */
class PreparedAges {
  readonly #now: () => number;
  #seenMs = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  oldestMs(replicas: readonly NodeShard[]): number {
    const nowMs = this.#now();
    const seenMs = new Map<string, number>();
    for (const { shard, machine } of replicas) {
      for (const transaction of machine.prepared.keys()) {
        const name = `${shard} ${transaction}`;
        seenMs.set(name, this.#seenMs.get(name) ?? nowMs);
      }
    }
    this.#seenMs = seenMs;
    return Math.max(0, ...[...seenMs.values()].map((firstMs) => nowMs - firstMs));
  }
}
