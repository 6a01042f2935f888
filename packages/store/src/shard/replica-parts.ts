import type { Platform } from '@flotilla/platform';
import type { Index, Term } from '@flotilla/raft';
import type { NodeStore } from '../node-store/node-store.ts';
import type { ShardEffect, ShardEntry, ShardId } from './shard-entry.ts';
import type { ShardBounds } from './shard-machine.ts';
import type { ShardReplica } from './shard-replica.ts';
import type { ShardAccess } from './shard-store.ts';

/** An entry of a shard's log that a replica has applied. */
export interface ReplicaApplied {
  readonly index: Index;
  readonly term: Term;
  /** Null: it says nothing to the shard, as what a leader begins its term with. */
  readonly entry: ShardEntry | null;
  /** In the order in which they came about. */
  readonly effects: readonly ShardEffect[];
}

/**
 * The node that a replica is on. Called in the middle of applying, so that what is done here is in the same commit:
 * nothing here may apply, commit or read by a barrier.
 */
export interface ReplicaObserver {
  applied(replica: ShardReplica, applied: ReplicaApplied): void;
  /**
   * A child has begun where its parent was split, and is stored with it. Its group is to be opened with
   * {@link ShardReplica.initialConfiguration}. A node that takes no part in it, or has a replica already, removes it.
   */
  spawned(child: ShardReplica, parent: ShardReplica): void;
  /**
   * The replica has taken over a neighbour, which is none any more: its group is to be closed. `flushed`: when a crash
   * does not bring it back; only then may its log go, since a replay before that needs it.
   */
  absorbed(replica: ShardReplica, drained: ShardReplica, flushed: Promise<void>): void;
  /** A snapshot has put another state in the place of the one before, if there was one. */
  restored(replica: ShardReplica): void;
}

/** A neighbour that has drained, with everything that was said to it up to an index of the order. */
export interface NeighbourNeed {
  readonly drained: ShardId;
  readonly upTo: number;
}

export interface ReplicaParts {
  readonly platform: Platform;
  readonly store: NodeStore;
  readonly observer: ReplicaObserver;
  /** Opens what the `encode` of a shard's access has written. */
  readonly access: (encoded: Uint8Array) => ShardAccess;
  /** Another replica of this node; null: there is none. */
  readonly neighbour: (shard: ShardId) => ShardReplica | null;
  readonly bounds?: ShardBounds;
}
