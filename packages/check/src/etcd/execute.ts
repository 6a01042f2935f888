import type { KeySpace } from './key-space.ts';
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResult,
  EtcdEvent,
  KeyValue,
  PutRequest,
  PutResult,
  RangeRequest,
  RangeResult,
  TxnBranch,
  TxnOperation,
  TxnRequest,
  TxnResult,
} from './requests.ts';

export interface Execution {
  readonly result: TxnResult;
  /** Empty: nothing changed, and the request makes no revision. */
  readonly events: readonly EtcdEvent[];
}

/**
 * Does what etcd's documentation says, in the plainest way: the oracle that answers are compared with. Writes go to
 * `space` with `revision`; the caller undoes them when it only wanted to know. Ranges read the space as it is and
 * leave their `revision` field to the caller.
 *
 * Null: etcd would have refused the request in this state (`ignoreValue` of an absent key).
 */
export function execute(space: KeySpace, request: TxnOperation, revision: number): Execution | null {
  const events: EtcdEvent[] = [];
  const mark = space.mark();
  const result = executeOperation(space, request, revision, events);
  if (result === null) {
    space.undo(mark);
    return null;
  }
  return { result, events };
}

function executeOperation(
  space: KeySpace,
  request: TxnOperation,
  revision: number,
  events: EtcdEvent[],
): TxnResult | null {
  switch (request.type) {
    case 'range':
      return executeRange(space, request);
    case 'put':
      return executePut(space, request, revision, events);
    case 'delete-range':
      return executeDelete(space, request, revision, events);
    case 'txn':
      return executeBranch(space, decide(space, request), revision, events);
  }
}

/** A transaction whose compares, and those of the transactions inside it, have been answered. */
interface DecidedTxn {
  readonly type: 'decided';
  readonly succeeded: boolean;
  readonly operations: readonly (RangeRequest | PutRequest | DeleteRangeRequest | DecidedTxn)[];
}

/** All compares, nested ones too, see the state before any write of the transaction. */
function decide(space: KeySpace, txn: TxnRequest): DecidedTxn {
  const succeeded = txn.compare.every((compare) => holds(space, compare));
  const branch = succeeded ? txn.success : txn.failure;
  const operations = branch.map((operation) =>
    operation.type === 'txn' ? decide(space, operation) : operation,
  );
  return { type: 'decided', succeeded, operations };
}

function executeBranch(
  space: KeySpace,
  txn: DecidedTxn,
  revision: number,
  events: EtcdEvent[],
): TxnBranch | null {
  const responses: TxnResult[] = [];
  for (const operation of txn.operations) {
    const result =
      operation.type === 'decided'
        ? executeBranch(space, operation, revision, events)
        : executeOperation(space, operation, revision, events);
    if (result === null) return null;
    responses.push(result);
  }
  return { type: 'txn', succeeded: txn.succeeded, responses };
}

function executePut(
  space: KeySpace,
  request: PutRequest,
  revision: number,
  events: EtcdEvent[],
): PutResult | null {
  const before = space.get(request.key);
  if (before === null && (request.ignoreValue || request.ignoreLease)) return null;
  const kv: KeyValue = {
    key: request.key,
    value: request.ignoreValue && before !== null ? before.value : request.value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
    lease: request.ignoreLease && before !== null ? before.lease : request.lease,
  };
  space.put(kv);
  events.push({ type: 'put', kv });
  return { type: 'put', prevKv: request.prevKv ? before : null };
}

function executeDelete(
  space: KeySpace,
  request: DeleteRangeRequest,
  revision: number,
  events: EtcdEvent[],
): DeleteRangeResult {
  const gone = space.range(request.key, request.rangeEnd);
  for (const { key } of gone) {
    space.delete(key);
    events.push({ type: 'delete', key, modRevision: revision });
  }
  return { type: 'delete-range', deleted: gone.length, prevKvs: request.prevKv ? gone : [] };
}

export function executeRange(space: KeySpace, request: RangeRequest): RangeResult {
  const all = space.range(request.key, request.rangeEnd);
  // The count is of the whole range: neither the filters nor the limit touch it.
  if (request.countOnly) return { type: 'range', kvs: [], count: all.length, more: false };
  const fetched = limitsFirst(request) ? all.slice(0, request.limit + 1) : all;
  const sorted = sortRange(request, filterRange(request, fetched));
  const more = request.limit > 0 && sorted.length > request.limit;
  const limited = more ? sorted.slice(0, request.limit) : sorted;
  const kvs = request.keysOnly ? limited.map((kv) => ({ ...kv, value: '' })) : limited;
  return { type: 'range', kvs, count: all.length, more };
}

/**
 * etcd fetches one key more than the limit, in the order of keys, when neither an order nor a filter is given, even if
 * it sorts by something else afterwards. So of the keys a to d, last modified from d to a, `--sort-by MODIFY --limit 1`
 * gives b: the older one of a and b.
 */
function limitsFirst(request: RangeRequest): boolean {
  return request.limit > 0 && request.sortOrder === 'none' && !isFiltered(request);
}

function isFiltered({
  minModRevision,
  maxModRevision,
  minCreateRevision,
  maxCreateRevision,
}: RangeRequest): boolean {
  return minModRevision !== 0 || maxModRevision !== 0 || minCreateRevision !== 0 || maxCreateRevision !== 0;
}

function filterRange(request: RangeRequest, kvs: readonly KeyValue[]): readonly KeyValue[] {
  const { minModRevision, maxModRevision, minCreateRevision, maxCreateRevision } = request;
  if (!isFiltered(request)) return kvs;
  return kvs.filter(
    (kv) =>
      kv.modRevision >= minModRevision &&
      (maxModRevision === 0 || kv.modRevision <= maxModRevision) &&
      kv.createRevision >= minCreateRevision &&
      (maxCreateRevision === 0 || kv.createRevision <= maxCreateRevision),
  );
}

function sortRange(request: RangeRequest, kvs: readonly KeyValue[]): readonly KeyValue[] {
  // etcd sorts by other targets than the key even when no order is given.
  const plain = request.sortTarget === 'key' && request.sortOrder !== 'descend';
  if (plain) return kvs;
  const sign = request.sortOrder === 'descend' ? -1 : 1;
  return [...kvs].sort((a, b) => {
    const x = sortKey(request, a);
    const y = sortKey(request, b);
    return x < y ? -sign : x > y ? sign : 0;
  });
}

/** What a range is sorted by. Equal sort keys come in any order. */
export function sortKey(request: RangeRequest, kv: KeyValue): string | number {
  switch (request.sortTarget) {
    case 'key':
      return kv.key;
    case 'version':
      return kv.version;
    case 'create':
      return kv.createRevision;
    case 'mod':
      return kv.modRevision;
    case 'value':
      return kv.value;
  }
}

function holds(space: KeySpace, compare: Compare): boolean {
  const kvs = space.range(compare.key, compare.rangeEnd);
  if (kvs.length > 0) return kvs.every((kv) => holdsFor(compare, kv));
  // An absent key compares as zeroes, but its value is not the empty string: that comparison always fails.
  if (compare.target.type === 'value') return false;
  const zero = { key: '', value: '', createRevision: 0, modRevision: 0, version: 0, lease: 0n };
  return holdsFor(compare, zero);
}

function holdsFor({ result, target }: Compare, kv: KeyValue): boolean {
  const order = compareTarget(target, kv);
  switch (result) {
    case 'equal':
      return order === 0;
    case 'not-equal':
      return order !== 0;
    case 'greater':
      return order > 0;
    case 'less':
      return order < 0;
  }
}

/** Negative when the key's is less than the compare's. */
function compareTarget(target: Compare['target'], kv: KeyValue): number {
  switch (target.type) {
    case 'version':
      return kv.version - target.value;
    case 'create':
      return kv.createRevision - target.value;
    case 'mod':
      return kv.modRevision - target.value;
    case 'value':
      return kv.value < target.value ? -1 : kv.value > target.value ? 1 : 0;
    case 'lease':
      return kv.lease < target.value ? -1 : kv.lease > target.value ? 1 : 0;
  }
}
