import type { ShardId, ShardMachine } from '@flotilla/store';
import type { Patience, ShardNode } from '../types.ts';
import type { Members } from './membership-plan.ts';

/** As much of a node as the control of its shards needs. */
export type ControlNode = Pick<
  ShardNode,
  | 'nodeId'
  | 'order'
  | 'frontier'
  | 'propose'
  | 'log'
  | 'ask'
  | 'hears'
  | 'handle'
  | 'onOrder'
  | 'onReplicas'
  | 'onApplied'
  | 'replica'
>;

/** A shard that this node leads. */
export interface LedShard {
  readonly shard: ShardId;
  readonly term: number;
  readonly members: Members;
  readonly machine: ShardMachine;
}

/** What the node itself does for the control of shards, wherever that is. */
export interface LocalShards {
  /** It had no shard when it came up. */
  readonly isNew: boolean;
  led(): Iterable<LedShard>;
  transferLeader(shard: ShardId, to: number, patience: Patience): Promise<void>;
  /** What all shards of this node take, and what they may. */
  readonly space: { readonly usedBytes: number; readonly capacityBytes: number };
}
