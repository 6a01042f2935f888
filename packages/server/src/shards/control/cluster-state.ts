import type { KeySpan, ShardId } from '@flotilla/store';

/** Everything that the control of shards decides from: as the order has it, and as nodes report it. */
export interface ClusterState {
  readonly nowMs: number;
  readonly configuration: number;
  /** Those that have left are not among them. */
  readonly nodes: readonly NodeStatus[];
  /** In the order of their keys; shard 0, the order group's own, among them. */
  readonly shards: readonly ShardStatus[];
  readonly wishes: Wishes;
}

export interface NodeStatus {
  readonly node: number;
  readonly state: 'joined' | 'draining';
  readonly zone: string;
  /** As `disk=ssd`. */
  readonly labels: readonly string[];
  /** Whether it is heard of, and since when it is, or is not. */
  readonly live: boolean;
  readonly sinceMs: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

export interface ShardStatus {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly range: number;
  readonly membership: number;
  readonly nodes: readonly number[];
  /** Where it is wanted; null: where it is. */
  readonly assigned: readonly number[] | null;
  /** Of its leader, as far as it was heard of; null: nobody leads it. */
  readonly report: ShardReport | null;
  /** Where moves took replicas away, the latest first. */
  readonly movedFrom: readonly number[];
}

/** What the leader of a shard says of it. */
export interface ShardReport {
  readonly shard: ShardId;
  readonly leader: number;
  readonly term: number;
  /** Of its range, as its replica has it. */
  readonly range: number;
  readonly voters: readonly number[];
  /** Those of a joint configuration that nobody has left yet; empty: it is not joint. */
  readonly outgoing: readonly number[];
  readonly learners: readonly number[];
  /** It drains for a change of its range. */
  readonly draining: boolean;
  readonly bytes: number;
  readonly keys: number;
  /** Requests a second, smoothed. */
  readonly writes: number;
  readonly reads: number;
  /** One key carries the load. */
  readonly hotKey: boolean;
  /** There is a key to split it at. */
  readonly divisible: boolean;
}

/** What somebody has asked for that the map and the assignments do not say. */
export interface Wishes {
  /** Of every shard without a number of its own. */
  readonly replicas: number;
  readonly replicasOf: ReadonlyMap<ShardId, number>;
  /** Never merged unasked. */
  readonly kept: ReadonlySet<ShardId>;
  readonly merges: ReadonlyMap<ShardId, ShardId>;
  /** Nodes that shall be none when they are empty. */
  readonly leaving: ReadonlySet<number>;
  /** Keys at which shards shall begin, in ascending order. */
  readonly presplits: readonly Uint8Array[];
}

/** Whether a shard is where it should be, and nothing of it is on its way. */
export function isSettled({ assigned, report }: ShardStatus): boolean {
  if (report === null || report.draining) return false;
  if (report.outgoing.length > 0 || report.learners.length > 0) return false;
  return assigned === null || sameNodes(assigned, report.voters);
}

export function sameNodes(some: readonly number[], others: readonly number[]): boolean {
  return some.length === others.length && some.every((node) => others.includes(node));
}
