import { SortOrder, SortTarget, etcdErrors } from '@flotilla/wire';
import type { DeleteRangeRequest, PutRequest, RangeRequest, RequestOp, TxnRequest } from '@flotilla/wire';
import { bytesToString, compareBytes } from './bytes.ts';
import { keyRange } from './mvcc/key-range.ts';
import type { KeyRange } from './mvcc/key-range.ts';

/**
 * What etcd refuses at its API, before a request is read from or proposed to anything. Each throws the `RpcError`
 * that a client of etcd gets.
 */
export function checkRangeRequest(request: RangeRequest): void {
  if (request.key.length === 0) throw etcdErrors.emptyKey;
  if (!isKnown(SortOrder, request.sortOrder)) throw etcdErrors.invalidSortOption;
  if (!isKnown(SortTarget, request.sortTarget)) throw etcdErrors.invalidSortOption;
}

export function checkPutRequest(request: PutRequest): void {
  if (request.key.length === 0) throw etcdErrors.emptyKey;
  if (request.ignoreValue && request.value.length > 0) throw etcdErrors.valueProvided;
  if (request.ignoreLease && request.lease !== 0n) throw etcdErrors.leaseProvided;
}

export function checkDeleteRangeRequest(request: DeleteRangeRequest): void {
  if (request.key.length === 0) throw etcdErrors.emptyKey;
}

/**
 * The longest of a transaction's three lists counts against `maxOperations` (etcd's `--max-txn-ops`), and its nested
 * transactions share what is left. No key may be put twice, nor put and deleted, by operations that can both run.
 */
export function checkTxnRequest(request: TxnRequest, maxOperations: number): void {
  checkOperations(request, maxOperations);
  collectWrites(request.success);
  collectWrites(request.failure);
}

function isKnown(names: Readonly<Record<string, number>>, value: number): boolean {
  return Object.values(names).includes(value);
}

function checkOperations(request: TxnRequest, maxOperations: number): void {
  const operations = Math.max(request.compare.length, request.success.length, request.failure.length);
  if (operations > maxOperations) throw etcdErrors.tooManyOperations;
  for (const compare of request.compare) {
    if (compare.key.length === 0) throw etcdErrors.emptyKey;
  }
  for (const operation of request.success) checkOperation(operation, maxOperations - operations);
  for (const operation of request.failure) checkOperation(operation, maxOperations - operations);
}

function checkOperation({ request }: RequestOp, maxOperations: number): void {
  switch (request?.case) {
    case 'requestRange':
      return checkRangeRequest(request.value);
    case 'requestPut':
      return checkPutRequest(request.value);
    case 'requestDeleteRange':
      return checkDeleteRangeRequest(request.value);
    case 'requestTxn':
      return checkOperations(request.value, maxOperations);
    case undefined:
    default:
      // An operation that is none of these: etcd says so with this text.
      throw etcdErrors.keyNotFound;
  }
}

/** What one list of operations may write, over all branches of the transactions in it. */
interface Writes {
  readonly puts: Map<string, PutRequest>;
  readonly deletes: Deletion[];
}

interface Deletion {
  readonly range: KeyRange;
  readonly isOpenEnded: boolean;
}

/**
 * Deletions of this level first: puts of every level below are checked against them. The two branches of a nested
 * transaction exclude each other, so they may put the same key. As in etcd, a nested deletion meets only puts of its
 * own branch and of the levels above it, not those of its sibling transactions.
 */
function collectWrites(operations: readonly RequestOp[]): Writes {
  const writes: Writes = { puts: new Map(), deletes: [] };
  for (const { request } of operations) {
    if (request?.case === 'requestDeleteRange') writes.deletes.push(deletionOf(request.value));
  }
  for (const { request } of operations) {
    if (request?.case === 'requestTxn') collectNested(writes, request.value);
  }
  for (const { request } of operations) {
    if (request?.case === 'requestPut') addPut(writes, bytesToString(request.value.key), request.value);
  }
  return writes;
}

function deletionOf({ key, rangeEnd }: DeleteRangeRequest): Deletion {
  return { range: keyRange(key, rangeEnd), isOpenEnded: rangeEnd.length === 1 && rangeEnd[0] === 0 };
}

function collectNested(writes: Writes, nested: TxnRequest): void {
  const success = collectWrites(nested.success);
  const failure = collectWrites(nested.failure);
  for (const [name, put] of success.puts) addPut(writes, name, put);
  for (const [name, put] of failure.puts) {
    if (success.puts.has(name)) refuseDeleted(writes, put);
    else addPut(writes, name, put);
  }
  writes.deletes.push(...success.deletes, ...failure.deletes);
}

function addPut(writes: Writes, name: string, put: PutRequest): void {
  if (writes.puts.has(name)) throw etcdErrors.duplicateKey;
  refuseDeleted(writes, put);
  writes.puts.set(name, put);
}

/**
 * etcd looks for overlaps with the bytes as they are, and finds nothing between a key and an end of one zero byte: such
 * a deletion stands beside any put, and takes those that come before it. But a put that keeps what the key has finds
 * nothing there after it; etcd ends on that, and here it is refused.
 */
function refuseDeleted(writes: Writes, { key, ignoreValue, ignoreLease }: PutRequest): void {
  for (const { range, isOpenEnded } of writes.deletes) {
    if (isOpenEnded && !ignoreValue && !ignoreLease) continue;
    const before = compareBytes(key, range.from) < 0;
    const beyond = range.to !== null && compareBytes(key, range.to) >= 0;
    if (!before && !beyond) throw etcdErrors.duplicateKey;
  }
}
