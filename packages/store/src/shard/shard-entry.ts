import type { TxnRequest } from '@flotilla/wire';
import type { RequestUser } from '../proposal.ts';
import type { KeySpan } from './key-span.ts';
import type { CommittedOutcome, RequestOrigin, UnchangedOutcome, WrittenOutcome } from './request-memory.ts';
import type { ShardMachine } from './shard-machine.ts';
import type { ChangeRun, VoteError, VoteTree } from './vote.ts';
import type { WriteRequest } from './write-request.ts';

export type ShardId = number;

/** The order group's own shard. */
export const orderShard: ShardId = 0;

/** What a shard is at the moment: requests name it, and it changes whenever what they rely on does. */
export interface Epoch {
  /** Of its members: checked where members matter, in changes of its range. */
  readonly membership: number;
  /** Of its range: checked by every request. */
  readonly range: number;
}

/** What a barrier prepares for. */
export type RangeChange =
  | { readonly kind: 'split'; readonly shard: ShardId; readonly at: Uint8Array }
  | { readonly kind: 'merge'; readonly shard: ShardId; readonly into: ShardId };

export interface RequestEntry {
  readonly kind: 'request';
  readonly origin: RequestOrigin;
  readonly user: RequestUser | null;
  readonly range: number;
  readonly write: WriteRequest;
  /** Leases of its puts that the order group did not know when it was asked for this request (rule 14). */
  readonly absent: readonly bigint[];
}

export interface Participant {
  readonly shard: ShardId;
  /** The version of its range. */
  readonly range: number;
}

export interface PrepareEntry {
  readonly kind: 'prepare';
  /** Of session, request and attempt. */
  readonly transaction: string;
  readonly origin: RequestOrigin;
  readonly user: RequestUser | null;
  /** Those of one place in the order log. */
  readonly participants: readonly Participant[];
  /** What of the request concerns this shard; null: a lease is revoked. */
  readonly fragment: TxnRequest | null;
  readonly revokes: bigint | null;
  /** As of a request. */
  readonly absent: readonly bigint[];
}

export type ShardEntry =
  | RequestEntry
  | PrepareEntry
  /** Nothing new is let in until the range has been changed, or the change was refused. */
  | { readonly kind: 'barrier'; readonly change: RangeChange; readonly range: number }
  /** What the order group says to this shard. */
  | { readonly kind: 'ordered'; readonly fact: Fact }
  /**
   * How far the order had come, when nothing has been said to this shard since `after`. Whoever asked for it had applied
   * this shard's log up to `asked` before.
   */
  | { readonly kind: 'frontier'; readonly after: number; readonly revision: number; readonly asked: number }
  /** Its members have changed. */
  | { readonly kind: 'members'; readonly membership: number };

/** What was decided of a transaction. The first decision stands. */
export interface Decision {
  readonly transaction: string;
  readonly origin: RequestOrigin;
  readonly participants: readonly ShardId[];
  readonly revokes: bigint | null;
  readonly verdict: 'commit' | 'abort';
  readonly choices: readonly boolean[];
  readonly effective: boolean;
  /** What it changes, in order: the places of records in its revision follow from it. */
  readonly changes: readonly ChangeRun[];
  readonly error: VoteError | null;
  /** Its own, or the frontier where it was decided. */
  readonly revision: number;
}

/** What one entry of the order log says to one shard. */
export interface Fact {
  /** Of the entry. */
  readonly index: number;
  /** Of the fact before it: only the next one of the chain counts. */
  readonly previous: number;
  /** Its oldest pending writes get the revisions after `base`. */
  readonly base: number;
  readonly count: number;
  readonly decisions: readonly Decision[];
  /** The frontier after the entry. */
  readonly revision: number;
  readonly change: FactChange | null;
}

export type FactChange =
  /** A lease may be used by puts of this shard. */
  | { readonly kind: 'registered'; readonly lease: bigint }
  | { readonly kind: 'sessions-expired'; readonly sessions: readonly number[]; readonly lowest: number }
  | { readonly kind: 'auth'; readonly change: Uint8Array }
  | { readonly kind: 'compacted'; readonly revision: number }
  /** The barrier falls, and so do all late copies of the proposal that it was for. */
  | { readonly kind: 'refused'; readonly range: number }
  | { readonly kind: 'split'; readonly span: KeySpan; readonly range: number; readonly child: ChildShard }
  /** The shard ends; its neighbour takes everything over. */
  | { readonly kind: 'absorbed'; readonly into: ShardId }
  /** Everything of a neighbour that drained belongs to this shard now. `upTo`: the last fact of that one's life. */
  | {
      readonly kind: 'absorbs';
      readonly span: KeySpan;
      readonly range: number;
      readonly drained: ShardId;
      readonly upTo: number;
    };

export interface ChildShard {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly range: number;
}

export type RefusalReason =
  /** The shard is another one by now: the route was stale. */
  | 'epoch'
  /** It is about to be another one. */
  | 'barrier'
  /** The request is finished: its client has had its answer. */
  | 'finished'
  | 'session-expired'
  /** A lease must be registered first, or be known to be none. */
  | 'lease-unregistered'
  /** Its user was identified by an older state of users. */
  | 'auth-revision'
  /** Bounds of memory. Nothing has happened. */
  | 'overloaded';

export interface Vote {
  readonly transaction: string;
  readonly shard: ShardId;
  readonly origin: RequestOrigin;
  readonly participants: readonly Participant[];
  readonly revokes: bigint | null;
  /** Null: it is not prepared here. */
  readonly tree: VoteTree | null;
  /** Refused whatever the branches are. */
  readonly error: VoteError | null;
  /** Up to here the shard's writes come before it. */
  readonly seq: number;
}

/** What becomes of an entry, for whoever leads the shard. */
export type ShardEffect =
  | {
      readonly kind: 'outcome';
      readonly origin: RequestOrigin;
      readonly outcome: WrittenOutcome | UnchangedOutcome | CommittedOutcome;
      /** Whether the request came again. */
      readonly known: boolean;
    }
  | { readonly kind: 'refused'; readonly origin: RequestOrigin; readonly reason: RefusalReason }
  | { readonly kind: 'vote'; readonly vote: Vote }
  /** A request must know of the order beyond what has been said to this shard. */
  | { readonly kind: 'frontier-wanted' }
  | { readonly kind: 'waits'; readonly why: 'lock' | 'number' | 'frontier' }
  /** A write of its own got its revision. */
  | { readonly kind: 'numbered'; readonly origin: RequestOrigin; readonly revision: number }
  /** The child is there, with everything that it begins with. */
  | { readonly kind: 'split'; readonly child: ShardMachine }
  /** It has what its neighbour had, which is no more. */
  | { readonly kind: 'absorbed'; readonly drained: ShardId };
