import type { LeaseRecords } from '../leases/lease-records.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import type { MultiVersionState } from '../mvcc/state.ts';
import type { RequestUser } from '../proposal.ts';
import type { KeySpan } from './key-span.ts';
import type { ShardId } from './shard-entry.ts';
import type { WriteRequest } from './write-request.ts';

/** Where the numbered versions of a shard's keys are. */
export interface ShardStore {
  readonly keys: MultiVersionState;
  /** Which keys go with which lease. */
  readonly attachments: LeaseRecords;
  /** What the child of a split begins with: the same keys. Where all shards share one store it is that store. */
  fork(child: ShardId): ShardStore;
  /** Nothing outside of the span is this shard's any more. */
  narrow(span: KeySpan): void;
  /** What `drained` has in the span is this shard's from now on. */
  absorb(drained: ShardStore, span: KeySpan): void;
  /** The keys as they are, to be read while they change. Release it. */
  pin(): PinnedKeys;
}

export interface PinnedKeys extends ReadPoint {
  /** Once. */
  release(): void;
}

/** A request of the order group that a user makes. */
export type OrderRequestKind = 'grant' | 'revoke' | 'compact';

export type KeysOfLease = (lease: bigint) => readonly Uint8Array[];

/** Who may write what, as far as the shard has heard; and whether anybody may. */
export interface ShardAccess {
  /** False: the user was identified by an older state of users, and has to be again. */
  isCurrent(user: RequestUser | null): boolean;
  /** Throws what etcd answers to a request that is not allowed. `keysOf`: those of this shard that go with a lease. */
  check(user: RequestUser | null, write: WriteRequest, keysOf: KeysOfLease): void;
  /** The same of a request of the order group. `keys`: of the lease that it is about. */
  administer(user: RequestUser | null, kind: OrderRequestKind, keys: () => readonly Uint8Array[]): void;
  /** Leases end by themselves, unless the state is known to be corrupt. */
  readonly mayExpire: boolean;
  apply(change: Uint8Array): void;
  encode(): Uint8Array;
  fork(): ShardAccess;
}
