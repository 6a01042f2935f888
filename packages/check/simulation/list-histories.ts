import type { Random } from '@flotilla/platform';
import type {
  ListCall,
  ListOperation,
  ListResult,
  ListTransaction,
} from '../src/transactions/list-append.ts';
import { movedInTime, openTransactions, saidToHaveFailed, withChanges } from './open-transactions.ts';
import type { HistoryShape } from './register-histories.ts';

/** A history of lists that really was strictly serializable. */
export function listHistory(random: Random, shape: Omit<HistoryShape, 'values'>): ListCall[] {
  const lists = new Map<string, number[]>();
  return openTransactions<ListTransaction, ListResult>(random, shape, {
    draw: (made) => randomTransaction(random, shape.keys, made * MAX_STEPS),
    execute: (operation) => execute(lists, operation),
  });
}

/** A history that may or may not be strictly serializable still. */
export function corruptListHistory(random: Random, calls: readonly ListCall[]): ListCall[] {
  return withChanges(random, calls, (call) => corruptCall(random, call));
}

/** What each step answers, and what it does to the lists. */
export function execute(lists: Map<string, number[]>, transaction: ListTransaction): ListResult {
  return transaction.map((step) => {
    const list = lists.get(step.key) ?? [];
    if (step.type === 'read') return [...list];
    lists.set(step.key, [...list, step.element]);
    return null;
  });
}

function corruptCall(random: Random, call: ListCall): ListCall {
  const { outcome } = call;
  switch (random.below(4)) {
    case 0:
      return movedInTime(random, call);
    case 1:
      return saidToHaveFailed(call);
    default:
      if (outcome.type !== 'returned') return call;
      return { ...call, outcome: { ...outcome, result: corruptResult(random, outcome.result) } };
  }
}

/** Some read is older, or has two elements the other way round. */
function corruptResult(random: Random, result: ListResult): ListResult {
  const position = random.below(result.length);
  return result.map((list, at) => {
    if (at !== position || list === null || list.length === 0) return list;
    if (random.below(3) > 0) return list.slice(0, random.below(list.length));
    const swapped = [...list];
    const first = random.below(list.length);
    [swapped[0], swapped[first]] = [swapped[first]!, swapped[0]!];
    return swapped;
  });
}

function randomTransaction(random: Random, keys: number, firstElement: number): ListTransaction {
  return Array.from({ length: 1 + random.below(MAX_STEPS) }, (_, step): ListOperation => {
    const key = `k${random.below(keys)}`;
    return random.below(2) === 0
      ? { type: 'read', key }
      : { type: 'append', key, element: firstElement + step };
  });
}

const MAX_STEPS = 4;
