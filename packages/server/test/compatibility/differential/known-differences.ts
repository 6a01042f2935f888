import type { Operation } from './operations.ts';

/** An outcome as text, without ids, terms and times. */
export interface Compared {
  readonly operation: Operation;
  readonly etcd: string;
  readonly flotilla: string;
}

export interface KnownDifference {
  readonly reason: string;
  readonly matches: (compared: Compared) => boolean;
}

/**
 * Where Flotilla, which follows etcd 3.7, answers otherwise than etcd 3.4.23 on purpose. Every entry names one answer
 * of one kind of request; nothing here may excuse other values, revisions or effects.
 */
export const knownDifferences: readonly KnownDifference[] = [
  {
    reason:
      'a transaction with several faults: etcd 3.4 looks at all puts before the ranges, etcd since 3.6 at all in order',
    matches: ({ operation, etcd, flotilla }) =>
      operation.kind === 'call' &&
      operation.method === 'KV/Txn' &&
      (etcd === 'NOT_FOUND: etcdserver: requested lease not found' ||
        etcd === 'INVALID_ARGUMENT: etcdserver: key not found') &&
      flotilla.startsWith('OUT_OF_RANGE: etcdserver: mvcc: required revision '),
  },
  {
    reason:
      'whoever looks at a lease, or renews it, needs a user and permissions since etcd 3.7; 3.4 asks for nothing',
    matches: ({ operation, etcd, flotilla }) =>
      (operation.kind === 'keepAlive' ||
        (operation.kind === 'call' &&
          (operation.method === 'Lease/LeaseTimeToLive' || operation.method === 'Lease/LeaseLeases'))) &&
      etcd.startsWith('{') &&
      refusals.has(flotilla),
  },
  {
    reason: 'the permissions of the role root: everything since etcd 3.6; 3.4 tells what was granted to it',
    matches: ({ operation, etcd, flotilla }) =>
      operation.kind === 'call' &&
      operation.method === 'Auth/RoleGet' &&
      (operation.request as { role: string }).role === 'root' &&
      etcd.startsWith('{') &&
      flotilla.endsWith(', perm: [{permType: 2, rangeEnd: "\\u0000"}]}'),
  },
];

const refusals = new Set([
  'INVALID_ARGUMENT: etcdserver: user name is empty',
  'PERMISSION_DENIED: etcdserver: permission denied',
  'UNAUTHENTICATED: etcdserver: invalid auth token',
]);

/**
 * Of what a watch tells: Flotilla ends one whose user may not watch any more, or that nobody was named for when
 * authentication was turned on (docs/auth.md); etcd goes on with it. Up to there both must have told the same.
 */
export const watchEndsWithPermission = {
  reason: 'a watch ends with the permission for it, where etcd goes on telling',
  matches(etcd: readonly string[], flotilla: readonly string[]): boolean {
    const end = flotilla.at(-1) ?? '';
    return (
      /^end \{canceled, cancelReason: "rpc error: code = (InvalidArgument desc = etcdserver: user name is empty|PermissionDenied desc = etcdserver: permission denied)"\}$/.test(
        end,
      ) && flotilla.slice(0, -1).every((event, i) => event === etcd[i])
    );
  },
};

/** What the generator does not ask for, because the two would go on with different contents. */
export const avoided: readonly string[] = [
  'a permission on an empty key or range: etcd 3.4 grants it, though it permits nothing; 3.7 refuses it, as Flotilla does',
  'a permission that is missing from its request: etcd 3.4 crashes, 3.7 refuses it',
  'a token that is not known while authentication is off: etcd 3.4 refuses it, 3.7 does not look at it',
  'granting or revoking a lease without a token while authentication is on: etcd 3.4 allows it, 3.7 does not',
  'a nested transaction while authentication is on: etcd 3.4 does not check the permissions for what is in it',
  'two ranges in one role that begin with the same key: when one is granted again, every etcd may miss that it is ' +
    'there and keep both, so that a permission once given cannot be lowered; Flotilla replaces it',
  'a watch to the end of all keys while authentication is on: etcd 3.4 checks the permission for its first key only, ' +
    '3.7 for all of them, as Flotilla does',
  'a compaction by anybody but root while authentication is on: etcd 3.4 lets everybody compact, 3.7 only root',
  'a put with a lease or prev_kv in a transaction while authentication is on: etcd 3.4 checks only the permission to ' +
    'write its key there, 3.7 also those for the keys of the lease and for what was there before',
  'a range that ends before it begins while authentication is on: whether etcd permits it depends on how the tree of ' +
    'permissions happens to be balanced',
  'a put with ignore_value or ignore_lease beside a deletion to the end of all keys in one transaction: every etcd ' +
    'ends when it executes both and the deletion takes the key; Flotilla refuses them as it does any other overlap',
  'a watch from a negative revision: etcd 3.4 creates it and ends it later, 3.7 refuses it at once',
];
