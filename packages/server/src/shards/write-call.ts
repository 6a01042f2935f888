import { assert } from '@flotilla/platform';
import {
  type ApplyResult,
  type Footprint,
  footprintOf,
  type RequestUser,
  type WriteRequest,
} from '@flotilla/store';
import { DeleteRangeRequest, PutRequest, TxnRequest } from '@flotilla/wire';
import type { NumberedRequest } from './request-sessions.ts';

/** A write on its way to the shards that have its keys. */
export interface WriteCall {
  readonly write: WriteRequest;
  readonly footprint: Footprint;
  readonly user: RequestUser | null;
  readonly numbered: NumberedRequest;
}

export type WriteKind = WriteRequest['kind'];

export function isWriteKind(kind: string): kind is WriteKind {
  return kind === 'put' || kind === 'delete-range' || kind === 'txn';
}

/** What came of one try. */
export type WriteStep =
  /** `revision`: at which it took place. */
  | { readonly kind: 'answered'; readonly result: ApplyResult; readonly revision: number }
  /** Nothing was done. `map`: ranges are changing; `conflict`: another transaction was in the way; `leader`: none is known. */
  | { readonly kind: 'again'; readonly why: 'map' | 'conflict' | 'leader' }
  /** Nobody can tell; the same request again finds out. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'overloaded' }
  /** Its user was identified by another state of users than the shard's. */
  | { readonly kind: 'auth-revision' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'session-expired' };

/** From the request's own bytes, as the API has let them pass. */
export function decodeWrite(kind: WriteKind, request: Uint8Array): Pick<WriteCall, 'write' | 'footprint'> {
  const write = decoded(kind, request);
  return { write, footprint: footprintOf(write) };
}

function decoded(kind: WriteKind, request: Uint8Array): WriteRequest {
  switch (kind) {
    case 'put':
      return { kind, request: PutRequest.decode(request) };
    case 'delete-range':
      return { kind, request: DeleteRangeRequest.decode(request) };
    case 'txn':
      return { kind, request: TxnRequest.decode(request) };
    default:
      return assert(false, 'a write is of one of three kinds') as never;
  }
}
