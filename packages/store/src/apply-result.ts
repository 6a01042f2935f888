import type {
  CompactionResponse,
  DeleteRangeResponse,
  PutResponse,
  RpcError,
  TxnResponse,
} from '@flotilla/wire';

/**
 * What an entry answered, on this member. Headers carry the revision; cluster, member and term are the server's to
 * add. An error is part of the answer: every member that applies the entry gets the same one.
 */
export type ApplyResult =
  | { readonly kind: 'put'; readonly response: PutResponse }
  | { readonly kind: 'delete-range'; readonly response: DeleteRangeResponse }
  | { readonly kind: 'txn'; readonly response: TxnResponse }
  | { readonly kind: 'compact'; readonly response: CompactionResponse }
  | { readonly kind: 'error'; readonly error: RpcError }
  /** Of an entry that is no request. */
  | { readonly kind: 'none' };
