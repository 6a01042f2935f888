import { assert, unreachable } from '@flotilla/platform';
import { CompareResult, CompareTarget, etcdErrors } from '@flotilla/wire';
import type {
  Compare,
  DeleteRangeRequest,
  DeleteRangeResponse,
  KeyValue,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseOp,
  TxnRequest,
  TxnResponse,
} from '@flotilla/wire';
import { compareBytes } from '../bytes.ts';
import { header } from './header.ts';
import { isEmpty, keyRange } from './key-range.ts';
import { range } from './range.ts';
import type { ReadPoint } from './range.ts';

/** What a transaction is executed on: the state of a database, or the writes of a shard that have no revision yet. */
export interface TxnState extends ReadPoint {
  /** Throws what etcd answers to a put of a transaction that the state does not allow. */
  checkPut(request: PutRequest): void;
  executePut(request: PutRequest): PutResponse;
  executeDelete(request: DeleteRangeRequest): DeleteRangeResponse;
  executeRange(request: RangeRequest): RangeResponse;
  /** All operations are executed. */
  end(): void;
}

/**
 * Executes a transaction as one write. All compares, those of nested transactions too, are evaluated first, then
 * everything that could fail is checked along the branches that were taken, and only then does anything change.
 */
export function executeTxn(state: TxnState, request: TxnRequest): TxnResponse {
  const branch = chooseBranch(state, request);
  checkBranch(state, branch, state);
  const response = runBranch(state, branch, null);
  state.end();
  return { ...response, header: header(state.revision) };
}

/** A state whose changes are not the first, one by one, of what their transaction changes: it is one over several shards. */
export interface PlacedState extends TxnState {
  /** Of the next change. Null: as they come. */
  place: number | null;
}

/**
 * Executes the branches that were chosen before: `choices` says of each transaction on the way, this one first and
 * nested ones in their order, whether it succeeded. What could fail was checked when they were chosen.
 * `places`: by operation, those of other shards counted too, the place of the first change that it makes here.
 */
export function executeChosen(
  state: PlacedState,
  request: TxnRequest,
  choices: readonly boolean[],
  places: ReadonlyMap<number, number>,
): TxnResponse {
  let operation = 0;
  const begin = (): void => {
    state.place = places.get(operation) ?? 0;
    operation += 1;
  };
  const response = runBranch(state, chosenBranch(request, choices.values()), begin);
  state.place = null;
  state.end();
  return { ...response, header: header(state.revision) };
}

/** A transaction of ranges only, on any read point. */
export function readTxn(point: ReadPoint, request: TxnRequest): TxnResponse {
  const branch = chooseBranch(point, request);
  checkBranch(point, branch, null);
  const responses: ResponseOp[] = [];
  for (const { request: operation } of branch.operations) {
    assert(operation?.case === 'requestRange', 'a read-only transaction has only ranges');
    responses.push({ response: { case: 'responseRange', value: range(point, operation.value) } });
  }
  return { header: header(point.revision), succeeded: branch.succeeded, responses };
}

/** Whether a transaction can be answered without the log. A nested one never counts as read-only, as in etcd. */
export function isReadOnly(request: TxnRequest): boolean {
  return request.success.every(isRange) && request.failure.every(isRange);
}

function isRange(operation: RequestOp): boolean {
  return operation.request?.case === 'requestRange';
}

/** What a transaction will execute: decided before any of it is. */
interface Branch {
  readonly succeeded: boolean;
  readonly operations: readonly RequestOp[];
  /** Of the nested transactions among the operations, in order. */
  readonly nested: readonly Branch[];
}

function chooseBranch(point: ReadPoint, request: TxnRequest): Branch {
  const succeeded = request.compare.every((compare) => holds(point, compare));
  const operations = succeeded ? request.success : request.failure;
  const nested: Branch[] = [];
  for (const { request: operation } of operations) {
    if (operation?.case === 'requestTxn') nested.push(chooseBranch(point, operation.value));
  }
  return { succeeded, operations, nested };
}

function chosenBranch(request: TxnRequest, choices: Iterator<boolean>): Branch {
  const succeeded = choices.next().value === true;
  const operations = succeeded ? request.success : request.failure;
  const nested: Branch[] = [];
  for (const { request: operation } of operations) {
    if (operation?.case === 'requestTxn') nested.push(chosenBranch(operation.value, choices));
  }
  return { succeeded, operations, nested };
}

/** Throws the error of the first operation that the state does not allow. `state` null: nothing writes. */
function checkBranch(point: ReadPoint, branch: Branch, state: TxnState | null): void {
  let nested = 0;
  for (const { request } of branch.operations) {
    if (request === null) continue;
    switch (request.case) {
      case 'requestRange':
        checkRange(point, request.value);
        break;
      case 'requestPut':
        state?.checkPut(request.value);
        break;
      case 'requestTxn':
        checkBranch(point, branch.nested[nested] as Branch, state);
        nested += 1;
        break;
      case 'requestDeleteRange':
        break;
      default:
        unreachable(request);
    }
  }
}

/** Unlike a range of its own, one in a transaction is refused a negative revision once anything was compacted. */
export function checkRange(
  point: Pick<ReadPoint, 'revision' | 'compactRevision'>,
  request: RangeRequest,
): void {
  if (request.revision === 0) return;
  if (request.revision > point.revision) throw etcdErrors.futureRevision;
  if (request.revision < point.compactRevision) throw etcdErrors.compacted;
}

/** `begin`: called before each operation on the way, those that are another shard's too, so that all shards count alike. */
function runBranch(state: TxnState, branch: Branch, begin: (() => void) | null): TxnResponse {
  const responses: ResponseOp[] = [];
  let nested = 0;
  for (const { request } of branch.operations) {
    begin?.();
    // The API refuses an operation that is none; an answer keeps its place in any case.
    if (request === null) {
      responses.push({ response: null });
      continue;
    }
    switch (request.case) {
      case 'requestRange':
        responses.push({ response: { case: 'responseRange', value: state.executeRange(request.value) } });
        break;
      case 'requestPut':
        responses.push({ response: { case: 'responsePut', value: state.executePut(request.value) } });
        break;
      case 'requestDeleteRange':
        responses.push({
          response: { case: 'responseDeleteRange', value: state.executeDelete(request.value) },
        });
        break;
      case 'requestTxn':
        responses.push({
          response: { case: 'responseTxn', value: runBranch(state, branch.nested[nested] as Branch, begin) },
        });
        nested += 1;
        break;
      default:
        unreachable(request);
    }
  }
  // etcd gives the header of a nested transaction no revision.
  return { header: header(0), succeeded: branch.succeeded, responses };
}

/** Whether a compare holds for every key of its range. A missing key compares as one whose numbers are all 0. */
function holds(point: ReadPoint, compare: Compare): boolean {
  return weigh(point, compare) ?? missingHolds(compare);
}

/** Whether a compare holds for every key that there is in its range; null: there is none. */
export function weigh(point: Pick<ReadPoint, 'layers'>, compare: Compare): boolean | null {
  const bounds = keyRange(compare.key, compare.rangeEnd);
  if (bounds.single) {
    const kv = point.layers.latest(compare.key);
    return kv === null ? null : matches(compare, kv);
  }
  if (isEmpty(bounds)) return null;
  const cursor = point.layers.scanLatest({ from: bounds.from, to: bounds.to, reverse: false });
  if (cursor.key === null) return null;
  for (; cursor.key !== null; cursor.advance()) {
    if (matches(compare, cursor.value)) continue;
    cursor.close();
    return false;
  }
  return true;
}

/** Whether a compare holds for all of these, which are the keys of its range. */
export function holdsForAll(compare: Compare, kvs: readonly KeyValue[]): boolean {
  return kvs.length === 0 ? missingHolds(compare) : kvs.every((kv) => matches(compare, kv));
}

/** A value cannot be compared where there is none: the wire cannot tell it from the empty one. */
export function missingHolds(compare: Compare): boolean {
  return compare.target !== CompareTarget.VALUE && matches(compare, missing);
}

const missing: KeyValue = {
  key: new Uint8Array(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  value: new Uint8Array(0),
  lease: 0n,
};

function matches(compare: Compare, kv: KeyValue): boolean {
  const order = orderOf(compare, kv);
  switch (compare.result) {
    case CompareResult.EQUAL:
      return order === 0;
    case CompareResult.NOT_EQUAL:
      return order !== 0;
    case CompareResult.GREATER:
      return order > 0;
    case CompareResult.LESS:
      return order < 0;
    default:
      // A result from a newer version of the protocol: etcd lets it pass.
      return true;
  }
}

/** The key's field against the operand. An operand of another kind than the target counts as 0 or empty. */
function orderOf(compare: Compare, kv: KeyValue): number {
  const operand = compare.targetUnion;
  switch (compare.target) {
    case CompareTarget.VALUE:
      return compareBytes(kv.value, operand?.case === 'value' ? operand.value : missing.value);
    case CompareTarget.VERSION:
      return kv.version - (operand?.case === 'version' ? operand.value : 0);
    case CompareTarget.CREATE:
      return kv.createRevision - (operand?.case === 'createRevision' ? operand.value : 0);
    case CompareTarget.MOD:
      return kv.modRevision - (operand?.case === 'modRevision' ? operand.value : 0);
    case CompareTarget.LEASE: {
      const lease = operand?.case === 'lease' ? operand.value : 0n;
      return kv.lease < lease ? -1 : kv.lease > lease ? 1 : 0;
    }
    default:
      return 0;
  }
}
