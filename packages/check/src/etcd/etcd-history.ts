import type { Violation } from '../violation.ts';
import { describeCall } from './describe.ts';
import {
  isEffective,
  type CompactRequest,
  type EtcdCall,
  type EtcdEvent,
  type EtcdRequest,
  type EtcdResponse,
  type KeyValue,
  type RangeRequest,
  type RevisionEvents,
  type TxnOperation,
  type TxnResult,
} from './requests.ts';

/** An answered request that made a revision. */
export interface Writer {
  readonly call: EtcdCall;
  readonly request: TxnOperation;
  readonly result: TxnResult;
  readonly revision: number;
}

/** An answer that shows the state at a revision and changed nothing. */
export interface Observation {
  readonly call: EtcdCall;
  readonly request: TxnOperation;
  readonly result: TxnResult;
  /** The revision whose state it must agree with. */
  readonly revision: number;
}

/** A write of unknown outcome. */
export interface LostWrite {
  readonly call: EtcdCall;
  readonly request: TxnOperation;
  /** Equal for requests that ask for the same. */
  readonly content: string;
}

export interface Compaction {
  readonly call: EtcdCall;
  readonly request: CompactRequest;
}

/** The calls of a history by what they can tell. */
export interface SortedCalls {
  readonly writers: ReadonlyMap<number, Writer>;
  readonly observations: ReadonlyMap<number, readonly Observation[]>;
  readonly lost: readonly LostWrite[];
  readonly compactions: readonly Compaction[];
  /** The latest revision that any answer showed. */
  readonly latest: number;
  /** Answers that contradict themselves, or each other. */
  readonly violations: readonly Violation[];
}

export function sortCalls(calls: readonly EtcdCall[]): SortedCalls {
  const writers = new Map<number, Writer>();
  const observations = new Map<number, Observation[]>();
  const lost: LostWrite[] = [];
  const compactions: Compaction[] = [];
  const violations: Violation[] = [];
  let latest = 0;
  for (const call of calls) {
    const { operation: request, outcome } = call;
    if (request.type === 'compact' && outcome.type !== 'failed') compactions.push({ call, request });
    if (outcome.type === 'unknown' && request.type !== 'compact' && mayWrite(request)) {
      lost.push({ call, request, content: contentOf(request) });
    }
    if (outcome.type !== 'returned' || outcome.result.type === 'error') continue;
    const { result } = outcome;
    latest = Math.max(latest, result.revision);
    if (request.type === 'compact') continue;
    if (!isShapedLike(request, result)) {
      violations.push(malformed(call));
    } else if (isEffective(result)) {
      addWriter(writers, { call, request, result, revision: result.revision }, violations);
      addNestedReads(observations, call, request, result);
    } else {
      const revision = request.type === 'range' && request.revision > 0 ? request.revision : result.revision;
      if (revision > result.revision) violations.push(fromTheFuture(call, revision));
      else append(observations, { call, request, result, revision });
      addNestedReads(observations, call, request, result);
    }
  }
  return { writers, observations, lost, compactions, latest, violations };
}

/** Every key that the requests or the persisted order can ever put. */
export function namesOf(calls: readonly EtcdCall[], persisted: readonly RevisionEvents[]): Set<string> {
  const names = new Set<string>();
  const visit = (operation: EtcdRequest): void => {
    if (operation.type === 'put') names.add(operation.key);
    if (operation.type !== 'txn') return;
    operation.success.forEach(visit);
    operation.failure.forEach(visit);
  };
  for (const call of calls) visit(call.operation);
  for (const { events } of persisted) {
    for (const event of events) names.add(keyOf(event));
  }
  return names;
}

/**
 * What answers say about revisions that they did not make: a key that was last modified at r tells what was put at r.
 * This is what identifies a lost write whose value was read later.
 */
export function evidenceOf(calls: readonly EtcdCall[]): Map<number, Map<string, Evidence>> {
  const evidence = new Map<number, Map<string, Evidence>>();
  const see = (kv: KeyValue, valueKnown: boolean): void => {
    const known = evidence.get(kv.modRevision) ?? new Map<string, Evidence>();
    evidence.set(kv.modRevision, known);
    if (valueKnown || !known.has(kv.key)) known.set(kv.key, { kv, valueKnown });
  };
  const visit = (request: EtcdRequest, result: TxnResult): void => {
    if (result.type === 'range') {
      for (const kv of result.kvs) see(kv, request.type === 'range' && !request.keysOnly);
    } else if (result.type === 'put') {
      if (result.prevKv !== null) see(result.prevKv, true);
    } else if (result.type === 'delete-range') {
      for (const kv of result.prevKvs) see(kv, true);
    } else if (request.type === 'txn') {
      const branch = result.succeeded ? request.success : request.failure;
      for (const [index, operation] of branch.entries()) {
        const nested = result.responses[index];
        if (nested !== undefined) visit(operation, nested);
      }
    }
  };
  for (const { operation, outcome } of calls) {
    if (outcome.type !== 'returned') continue;
    if (outcome.result.type !== 'error' && outcome.result.type !== 'compact')
      visit(operation, outcome.result);
  }
  return evidence;
}

function contentOf(request: TxnOperation): string {
  return JSON.stringify(request, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value));
}

export interface Evidence {
  readonly kv: KeyValue;
  /** False when only keys were asked for. */
  readonly valueKnown: boolean;
}

export function keyOf(event: EtcdEvent): string {
  return event.type === 'put' ? event.kv.key : event.key;
}

function mayWrite(request: TxnOperation): boolean {
  if (request.type !== 'txn') return request.type !== 'range';
  return request.success.some(mayWrite) || request.failure.some(mayWrite);
}

/** Reads that a member may answer from its own state, which may be old. */
export function isSerializable(request: EtcdRequest): boolean {
  switch (request.type) {
    case 'range':
      return request.serializable;
    case 'txn':
      // etcd's own rule: a transaction that only compares is «serializable» too, and may be stale.
      return request.success.every(isSerializable) && request.failure.every(isSerializable);
    case 'put':
    case 'delete-range':
    case 'compact':
      return false;
  }
}

function isShapedLike(
  request: TxnOperation,
  result: EtcdResponse,
): result is TxnResult & { revision: number } {
  return isResultOf(request, result as TxnResult);
}

function isResultOf(request: TxnOperation, result: TxnResult): boolean {
  if (request.type !== 'txn' || result.type !== 'txn') return request.type === result.type;
  const branch = result.succeeded ? request.success : request.failure;
  return (
    branch.length === result.responses.length &&
    branch.every((operation, index) => {
      const nested = result.responses[index];
      return nested !== undefined && isResultOf(operation, nested);
    })
  );
}

function addWriter(writers: Map<number, Writer>, writer: Writer, violations: Violation[]): void {
  const other = writers.get(writer.revision);
  if (other === undefined) {
    writers.set(writer.revision, writer);
    return;
  }
  violations.push({
    rule: 'revisions/unique',
    message: `revision ${writer.revision} was given twice: ${describeCall(other.call)}; ${describeCall(writer.call)}`,
    calls: [other.call.id, writer.call.id],
  });
}

/** Ranges at an older revision inside a transaction: they do not see the transaction, so they are judged alone. */
function addNestedReads(
  observations: Map<number, Observation[]>,
  call: EtcdCall,
  request: TxnOperation,
  result: TxnResult,
): void {
  if (request.type !== 'txn' || result.type !== 'txn') return;
  const branch = result.succeeded ? request.success : request.failure;
  for (const [index, operation] of branch.entries()) {
    const nested = result.responses[index];
    if (nested === undefined) continue;
    if (isHistorical(operation)) {
      append(observations, { call, request: operation, result: nested, revision: operation.revision });
    }
    addNestedReads(observations, call, operation, nested);
  }
}

export function isHistorical(request: TxnOperation): request is RangeRequest {
  return request.type === 'range' && request.revision > 0;
}

function append(observations: Map<number, Observation[]>, observation: Observation): void {
  const others = observations.get(observation.revision);
  if (others === undefined) observations.set(observation.revision, [observation]);
  else others.push(observation);
}

function malformed(call: EtcdCall): Violation {
  return {
    rule: 'revisions/shape',
    message: `the answer does not fit the request: ${describeCall(call)}`,
    calls: [call.id],
  };
}

function fromTheFuture(call: EtcdCall, revision: number): Violation {
  return {
    rule: 'revisions/future',
    message: `revision ${revision} was read before it existed: ${describeCall(call)}`,
    calls: [call.id],
  };
}
