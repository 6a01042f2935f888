import { unreachable } from '@flotilla/platform';
import { DeleteRangeRequest, etcdErrors, LeaseRevokeRequest, PutRequest, TxnRequest } from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import { emptyBytes } from '../bytes.ts';
import type { Proposal, RequestUser } from '../proposal.ts';
import type { Auth } from './auth.ts';
import type { Access } from './key-permissions.ts';

export type KeysOfLease = (id: bigint) => readonly Uint8Array[];

/**
 * What etcd demands of the user of each request, in its order, with auth on. Requests that members make of their own
 * accord have no user: those that only members make are not asked, those that clients make too were asked at the API.
 */
export function checkProposal(auth: Auth, proposal: Proposal, keysOfLease: KeysOfLease): void {
  const { kind, request } = proposal;
  const { user } = proposal.origin;
  switch (kind) {
    case 'put':
      return new UserAccess(auth, user, keysOfLease).put(PutRequest.decode(request));
    case 'delete-range':
      return new UserAccess(auth, user, keysOfLease).deleteRange(DeleteRangeRequest.decode(request));
    case 'txn':
      return new UserAccess(auth, user, keysOfLease).txn(TxnRequest.decode(request));
    case 'lease-revoke':
      if (user === null) throw etcdErrors.userEmpty;
      return new UserAccess(auth, user, keysOfLease).lease('write', LeaseRevokeRequest.decode(request).id);
    case 'lease-grant':
      if (user === null) throw etcdErrors.userEmpty;
      return;
    case 'auth':
      return auth.requireRoot(user);
    case 'compact':
    case 'alarm':
    case 'cluster':
    case 'downgrade':
      if (user !== null) auth.requireRoot(user);
      return;
    case 'authenticate':
    case 'member':
    case 'lease-renew':
    case 'lease-checkpoint':
    case 'lease-expire':
    case 'session-expire':
    // Entries of the order say themselves whose they are.
    case 'order':
      return;
    default:
      return unreachable(kind);
  }
}

/** Who may do what: of group 0, or as a shard has heard it. */
export type AccessRules = Pick<Auth, 'requireAccess' | 'isRoot'>;

/** What one user may do with keys and leases. Each method throws etcd's refusal. */
export class UserAccess {
  readonly #auth: AccessRules;
  readonly #user: RequestUser | null;
  readonly #keysOfLease: KeysOfLease;

  constructor(auth: AccessRules, user: RequestUser | null, keysOfLease: KeysOfLease) {
    this.#auth = auth;
    this.#user = user;
    this.#keysOfLease = keysOfLease;
  }

  /**
   * A lease takes its keys with it, so whoever attaches one must be allowed to revoke it: without write permission on
   * every key of a lease one could not.
   */
  put(request: PutRequest): void {
    this.#require('write', request.key, emptyBytes);
    if (request.lease !== 0n) this.lease('write', request.lease);
    if (request.prevKv) this.#require('read', request.key, emptyBytes);
  }

  deleteRange(request: DeleteRangeRequest): void {
    this.#require('write', request.key, request.rangeEnd);
    if (request.prevKv) this.#require('read', request.key, request.rangeEnd);
  }

  /** Both branches, whichever is taken: which one it is tells about the keys that are compared. */
  txn(request: TxnRequest): void {
    for (const { key, rangeEnd } of request.compare) {
      // In the part of a transaction that one shard has: a compare that another makes.
      if (key.length > 0) this.#require('read', key, rangeEnd);
    }
    for (const operation of request.success) this.#operation(operation);
    for (const operation of request.failure) this.#operation(operation);
  }

  /** Every key that goes with a lease. One that is not there has none. */
  lease(access: Access, id: bigint): void {
    if (this.#auth.isRoot(this.#user)) return;
    for (const key of this.#keysOfLease(id)) this.#require(access, key, emptyBytes);
  }

  #operation({ request }: RequestOp): void {
    switch (request?.case) {
      case 'requestRange':
        return this.#require('read', request.value.key, request.value.rangeEnd);
      case 'requestPut':
        return this.put(request.value);
      case 'requestDeleteRange':
        return this.deleteRange(request.value);
      case 'requestTxn':
        return this.txn(request.value);
      case undefined:
        return;
      default:
        return unreachable(request);
    }
  }

  #require(access: Access, key: Uint8Array, rangeEnd: Uint8Array): void {
    this.#auth.requireAccess(this.#user, access, key, rangeEnd);
  }
}
