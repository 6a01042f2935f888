import { unreachable } from '../assert.ts';
import { describeKeyValue } from './describe.ts';
import { isHistorical, type Evidence } from './etcd-history.ts';
import { sortKey } from './execute.ts';
import type { EtcdEvent, KeyValue, RangeRequest, RangeResult, TxnOperation, TxnResult } from './requests.ts';

/** The first way in which an answer differs from what it should be, in words, or null. */
export function difference(request: TxnOperation, expected: TxnResult, actual: TxnResult): string | null {
  // Judged on its own, at the revision that it asked for.
  if (isHistorical(request) && expected.type === 'range') return null;
  return answerDifference(request, expected, actual);
}

/** As {@link difference}, for a range that was executed at the revision that it asked for. */
export function answerDifference(
  request: TxnOperation,
  expected: TxnResult,
  actual: TxnResult,
): string | null {
  switch (expected.type) {
    case 'range':
      if (actual.type !== 'range' || request.type !== 'range') return `${actual.type} for a range`;
      return rangeDifference(request, expected, actual);
    case 'put':
      if (actual.type !== 'put') return `${actual.type} for a put`;
      return keyValueDifference('prev_kv', expected.prevKv, actual.prevKv, true);
    case 'delete-range':
      if (actual.type !== 'delete-range') return `${actual.type} for a delete`;
      if (actual.deleted !== expected.deleted) {
        return `deleted is ${actual.deleted}, expected ${expected.deleted}`;
      }
      return listDifference('prev_kvs', expected.prevKvs, actual.prevKvs, true);
    case 'txn': {
      if (actual.type !== 'txn' || request.type !== 'txn') return `${actual.type} for a transaction`;
      if (actual.succeeded !== expected.succeeded) {
        return `succeeded is ${actual.succeeded}, expected ${expected.succeeded}`;
      }
      const branch = expected.succeeded ? request.success : request.failure;
      for (const [index, operation] of branch.entries()) {
        const [wanted, got] = [expected.responses[index], actual.responses[index]];
        if (wanted === undefined || got === undefined) return `there is no response ${index}`;
        const nested = difference(operation, wanted, got);
        if (nested !== null) return `response ${index}: ${nested}`;
      }
      return null;
    }
    default:
      return unreachable(expected);
  }
}

function rangeDifference(request: RangeRequest, expected: RangeResult, actual: RangeResult): string | null {
  if (actual.count !== expected.count) return `count is ${actual.count}, expected ${expected.count}`;
  if (actual.more !== expected.more) return `more is ${actual.more}, expected ${expected.more}`;
  // etcd 3.7 answers key-only ranges from its index, which knows no leases.
  const exact = listDifference('kvs', expected.kvs, actual.kvs, !request.keysOnly);
  if (exact === null || request.sortTarget === 'key') return exact;
  return tiedDifference(request, expected, actual) === null ? null : exact;
}

/** Keys that sort equal may come in any order, and the limit may cut between any of them. */
function tiedDifference(request: RangeRequest, expected: RangeResult, actual: RangeResult): string | null {
  if (expected.kvs.length !== actual.kvs.length) return 'another number of keys';
  const last = expected.kvs.at(-1);
  const wanted = new Map(expected.kvs.map((kv) => [kv.key, kv]));
  for (const [index, kv] of actual.kvs.entries()) {
    const slot = expected.kvs[index];
    if (slot === undefined || sortKey(request, slot) !== sortKey(request, kv)) return 'another order';
    const same = wanted.get(kv.key);
    const cutTie = expected.more && last !== undefined && sortKey(request, last) === sortKey(request, kv);
    if (same === undefined ? !cutTie : keyValueDifference('', same, kv, !request.keysOnly) !== null) {
      return 'another key';
    }
    wanted.delete(kv.key);
  }
  return null;
}

function listDifference(
  name: string,
  expected: readonly KeyValue[],
  actual: readonly KeyValue[],
  withLease: boolean,
): string | null {
  const length = Math.max(expected.length, actual.length);
  for (let index = 0; index < length; index += 1) {
    const [wanted, got] = [expected[index] ?? null, actual[index] ?? null];
    const found = keyValueDifference(`${name}[${index}]`, wanted, got, withLease);
    if (found !== null) return found;
  }
  return null;
}

export function keyValueDifference(
  name: string,
  expected: KeyValue | null,
  actual: KeyValue | null,
  withLease: boolean,
): string | null {
  if (expected === null && actual === null) return null;
  if (
    expected !== null &&
    actual !== null &&
    expected.key === actual.key &&
    expected.value === actual.value &&
    expected.modRevision === actual.modRevision &&
    expected.createRevision === actual.createRevision &&
    expected.version === actual.version &&
    (!withLease || expected.lease === actual.lease)
  ) {
    return null;
  }
  const show = (kv: KeyValue | null): string => (kv === null ? 'nothing' : describeKeyValue(kv));
  return `${name} is ${show(actual)}, expected ${show(expected)}`;
}

export function sameEvents(a: readonly EtcdEvent[], b: readonly EtcdEvent[]): boolean {
  return a.length === b.length && a.every((event, index) => sameEvent(event, b[index]));
}

export function sameEvent(a: EtcdEvent, b: EtcdEvent | undefined): boolean {
  if (a.type === 'put') return b?.type === 'put' && keyValueDifference('', a.kv, b.kv, true) === null;
  return b?.type === 'delete' && a.key === b.key && a.modRevision === b.modRevision;
}

/** Whether events are possible, given what answers showed of their revision. */
export function agreesWithEvidence(
  events: readonly EtcdEvent[],
  evidence: ReadonlyMap<string, Evidence> | undefined,
): boolean {
  if (evidence === undefined) return true;
  for (const { kv, valueKnown } of evidence.values()) {
    const event = events.find((candidate) => candidate.type === 'put' && candidate.kv.key === kv.key);
    if (event?.type !== 'put') return false;
    const seen = valueKnown ? kv : { ...kv, value: event.kv.value };
    if (keyValueDifference('', event.kv, seen, valueKnown) !== null) return false;
  }
  return true;
}
