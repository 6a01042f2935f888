import type {
  EtcdCall,
  ListCall,
  ListOperation,
  ListTransaction,
  RangeResult,
  TxnBranch,
  TxnOperation,
  TxnRequest,
  TxnResult,
} from '@flotilla/check';
import { keyLists, valueLists } from './lists.ts';

/** A step on a list, with what it answered: null, of an append or where nobody knows. */
type Step = readonly [operation: ListOperation, answer: readonly number[] | null];

/**
 * Transactions of etcd as transactions on lists. A list that is one value is replaced only where it is as its client
 * knew it: that is a read of what was there, and an append of the last element.
 */
export function listCallsOf(calls: readonly EtcdCall[]): readonly ListCall[] {
  return calls.flatMap((call) => listCallOf(call) ?? []);
}

function listCallOf({ operation: request, outcome, ...call }: EtcdCall): ListCall | null {
  if (request.type !== 'txn') return null;
  if (outcome.type !== 'returned') {
    const operation: ListTransaction = stepsOf(request, null).map(([step]) => step);
    return { ...call, operation, outcome };
  }
  if (outcome.result.type !== 'txn') return null;
  const steps = stepsOf(request, outcome.result);
  const result = steps.map(([, answer]) => answer);
  return { ...call, operation: steps.map(([step]) => step), outcome: { ...outcome, result } };
}

/** What it did, or, without an answer, what it does if every list is as its client knew it. */
function stepsOf({ success, failure }: TxnRequest, answer: TxnBranch | null): Step[] {
  const branch = answer?.succeeded === false ? failure : success;
  return branch.flatMap((operation, at) => stepOf(operation, answer?.responses[at] ?? null) ?? []);
}

function stepOf(operation: TxnOperation, answer: TxnResult | null): readonly Step[] | null {
  if (operation.type === 'range') {
    const key = operation.key;
    if (!valueLists.includes(key) && !keyLists.includes(key)) return null;
    return [[{ type: 'read', key }, answer?.type === 'range' ? elementsOf(key, answer) : null]];
  }
  if (operation.type !== 'put') return null;
  const keyList = keyLists.find((list) => operation.key.startsWith(list));
  if (keyList !== undefined) {
    return [[{ type: 'append', key: keyList, element: Number(operation.value) }, null]];
  }
  if (!valueLists.includes(operation.key)) return null;
  const all = numbersOf(operation.value);
  const append = { type: 'append', key: operation.key, element: all.at(-1) as number } as const;
  return [
    [{ type: 'read', key: operation.key }, all.slice(0, -1)],
    [append, null],
  ];
}

function elementsOf(list: string, { kvs }: RangeResult): readonly number[] {
  if (keyLists.includes(list)) return kvs.map(({ value }) => Number(value));
  const [kv] = kvs;
  return kv === undefined ? [] : numbersOf(kv.value);
}

function numbersOf(value: string): readonly number[] {
  return value.split(',').map(Number);
}
