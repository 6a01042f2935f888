import type {
  AlarmResponse,
  AuthenticateResponse,
  CompactionResponse,
  DeleteRangeResponse,
  DowngradeResponse,
  LeaseGrantResponse,
  LeaseRevokeResponse,
  PutResponse,
  RpcError,
  TxnResponse,
} from '@flotilla/wire';
import type { AuthAnswer } from './auth/auth.ts';
import type { ClusterAnswer } from './cluster/registered-member.ts';
import type { RenewAnswer } from './leases/leases.ts';
import type { OrderEffect } from './order/order-entry.ts';
import type { ProposalKind } from './proposal.ts';

/** What applying a proposal of each kind answers; kinds that answer nothing are not in it. */
export interface Answers {
  readonly put: PutResponse;
  readonly 'delete-range': DeleteRangeResponse;
  readonly txn: TxnResponse;
  readonly compact: CompactionResponse;
  readonly 'lease-grant': LeaseGrantResponse;
  readonly 'lease-revoke': LeaseRevokeResponse;
  readonly 'lease-renew': RenewAnswer;
  readonly auth: AuthAnswer;
  readonly authenticate: AuthenticateResponse;
  readonly alarm: AlarmResponse;
  readonly cluster: ClusterAnswer;
  readonly downgrade: DowngradeResponse;
}

export type AnsweredKind = keyof Answers & ProposalKind;

/**
 * What an entry answered, on this member. Headers carry the revision; cluster, member and term are the server's to
 * add. An error is part of the answer: every member that applies the entry gets the same one.
 */
export type ApplyResult =
  | {
      readonly [Kind in AnsweredKind]: { readonly kind: Kind; readonly response: Answers[Kind] };
    }[AnsweredKind]
  | { readonly kind: 'error'; readonly error: RpcError }
  /** Of an entry of the order of a sharded cluster. */
  | { readonly kind: 'order'; readonly effects: readonly OrderEffect[] }
  /** Of an entry that is no request. */
  | { readonly kind: 'none' };

export const noAnswer: ApplyResult = Object.freeze({ kind: 'none' });
