import type { RequestOrigin } from '../shard/request-memory.ts';
import type { Decision, RangeChange, ShardEffect, ShardEntry, ShardId } from '../shard/shard-entry.ts';
import type { UnchangedOutcome, WrittenOutcome } from '../shard/request-memory.ts';

/** What a cut numbers of one shard: everything up to a seq. Cumulative, so that what comes twice does nothing. */
export interface Count {
  readonly shard: ShardId;
  readonly upTo: number;
}

/** As the order's leader proposes it: the revision follows from its place. */
export type ProposedDecision = Omit<Decision, 'revision'>;

export type OrderEntry =
  /** Of the order group's own shard. */
  | { readonly kind: 'own'; readonly entry: ShardEntry }
  | {
      readonly kind: 'cut';
      readonly counts: readonly Count[];
      readonly decisions: readonly ProposedDecision[];
      /** How far shards have applied what was said to them: it need not be kept any more. */
      readonly logged: readonly { readonly shard: ShardId; readonly index: number }[];
    }
  /** A shard has drained for this, at this version of its range. */
  | { readonly kind: 'range'; readonly change: RangeChange; readonly range: number }
  | {
      readonly kind: 'members';
      readonly shard: ShardId;
      readonly membership: number;
      readonly nodes: readonly number[];
    }
  | { readonly kind: 'grant'; readonly origin: RequestOrigin; readonly lease: bigint; readonly ttl: number }
  | { readonly kind: 'renew'; readonly lease: bigint }
  | { readonly kind: 'revoke'; readonly origin: RequestOrigin; readonly lease: bigint }
  /** The leader of this term has seen the time of this generation run out. */
  | {
      readonly kind: 'expire';
      readonly lease: bigint;
      readonly generation: number;
      readonly term: number;
    }
  | { readonly kind: 'register'; readonly lease: bigint; readonly shard: ShardId }
  /** Opened again under the same name it is the same session. */
  | { readonly kind: 'open-session'; readonly name: string }
  | { readonly kind: 'expire-sessions'; readonly sessions: readonly number[] }
  | { readonly kind: 'auth'; readonly origin: RequestOrigin; readonly change: Uint8Array }
  | { readonly kind: 'compact'; readonly origin: RequestOrigin; readonly revision: number };

export type OrderEffect =
  /** Of the order group's own shard. */
  | { readonly kind: 'shard'; readonly effect: ShardEffect }
  | { readonly kind: 'decided'; readonly decision: Decision }
  | {
      readonly kind: 'outcome';
      readonly origin: RequestOrigin;
      readonly outcome: WrittenOutcome | UnchangedOutcome;
    }
  | {
      readonly kind: 'refused';
      readonly origin: RequestOrigin;
      readonly reason: 'finished' | 'session-expired';
    }
  | { readonly kind: 'session-opened'; readonly name: string; readonly session: number }
  | { readonly kind: 'lease-renewed'; readonly lease: bigint; readonly generation: number }
  | { readonly kind: 'lease-removed'; readonly lease: bigint; readonly revision: number };
