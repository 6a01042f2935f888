import type { Configuration, Group, NodeId } from '@flotilla/raft';
import { orderShard, type ShardId } from '@flotilla/store';
import type { NodeShard, Patience } from '../types.ts';
import type { LedShard, LocalShards } from './local-shards.ts';

/** As much of a node's replicas as is told of those that lead. */
export interface LeadingReplicas {
  replicas(): Iterable<NodeShard>;
  held(shard: ShardId): {
    readonly configuration: Configuration;
    readonly group: Pick<Group<unknown>, 'status'> | null;
  } | null;
  moveLeader(shard: ShardId, to: NodeId, patience: Patience): Promise<void>;
}

interface LocalParts {
  readonly shards: LeadingReplicas;
  /** Group 0. */
  readonly group: Pick<Group<unknown>, 'status' | 'transferLeadership'>;
  readonly space: () => LocalShards['space'];
}

/** The shards of this node, for whoever controls them. */
export class NodeLocalShards implements LocalShards {
  readonly isNew: boolean;
  readonly #parts: LocalParts;

  constructor(parts: LocalParts) {
    this.#parts = parts;
    this.isNew = ![...parts.shards.replicas()].some(({ shard }) => shard !== orderShard);
  }

  get space(): LocalShards['space'] {
    return this.#parts.space();
  }

  *led(): Iterable<LedShard> {
    const { shards, group } = this.#parts;
    for (const replica of shards.replicas()) {
      const { shard, leads, isReady } = replica;
      if (!leads || !isReady) continue;
      // One that waits for a snapshot has none.
      const { machine } = replica;
      if (shard === orderShard) {
        const { term, configuration } = group.status();
        yield { shard, term, members: configuration, machine };
        continue;
      }
      const held = shards.held(shard);
      const status = held?.group?.status();
      if (held === null || status === undefined) continue;
      yield { shard, term: status.term, members: held.configuration, machine };
    }
  }

  async transferLeader(shard: ShardId, to: number, patience: Patience): Promise<void> {
    const { shards, group } = this.#parts;
    const node = to as NodeId;
    if (shard === orderShard) await group.transferLeadership(node, patience);
    else await shards.moveLeader(shard, node, patience);
  }
}
