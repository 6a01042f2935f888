import type { TxnRequest } from '@flotilla/wire';
import { anyOverlap, type KeySpan } from './key-span.ts';
import type { Participant } from './shard-entry.ts';
import type { RequestOrigin } from './request-memory.ts';
import type { VoteError, VoteTree } from './vote.ts';

/** What others must keep away from, as long as it is not over. */
export interface Claim {
  readonly spans: readonly KeySpan[];
  /** Leases that it attaches keys to. */
  readonly leases: readonly bigint[];
  /** The lease that it takes away. */
  readonly revokes: bigint | null;
}

/** A transaction that has voted here, and waits for its decision. */
export interface Prepared extends Claim {
  readonly transaction: string;
  readonly origin: RequestOrigin;
  readonly participants: readonly Participant[];
  readonly fragment: TxnRequest | null;
  /** The oldest revision that it reads at; 0: it reads the latest only. */
  readonly oldestRead: number;
  /** Its place among the transactions that were prepared here. */
  readonly order: number;
  // What it has voted.
  readonly tree: VoteTree;
  readonly error: VoteError | null;
  readonly seq: number;
}

export function conflicts(a: Claim, b: Claim): boolean {
  if (anyOverlap(a.spans, b.spans)) return true;
  if (a.revokes !== null && (a.revokes === b.revokes || b.leases.includes(a.revokes))) return true;
  return b.revokes !== null && a.leases.includes(b.revokes);
}
