import type { Random } from '@flotilla/platform';
import { History } from '../src/history.ts';
import type {
  ListCall,
  ListOperation,
  ListResult,
  ListTransaction,
} from '../src/transactions/list-append.ts';
import type { HistoryShape } from './register-histories.ts';

/** A transaction on its way: asked, then (perhaps) done, then answered. */
interface OpenTransaction {
  readonly id: number;
  readonly client: number;
  readonly operation: ListTransaction;
  /** Loses its answer; then it may also never be done. */
  readonly lost: boolean;
  result: ListResult | null;
}

/** A history of lists that really was strictly serializable: each transaction happens at one moment while it is open. */
export function listHistory(random: Random, shape: Omit<HistoryShape, 'values'>): ListCall[] {
  let time = 0;
  const history = new History<ListTransaction, ListResult>(() => (time += random.below(2)));
  const lists = new Map<string, number[]>();
  const open: OpenTransaction[] = [];
  const idle = Array.from({ length: shape.clients }, (_, client) => client);
  let made = 0;
  while (made < shape.calls || open.length > 0) {
    if (made < shape.calls && idle.length > 0 && (open.length === 0 || random.below(2) === 0)) {
      const client = idle.splice(random.below(idle.length), 1)[0]!;
      const operation = randomTransaction(random, shape.keys, made * MAX_STEPS);
      const lost = random.below(100) < shape.lostPercent;
      open.push({ id: history.call(client, operation), client, operation, lost, result: null });
      made += 1;
      continue;
    }
    const position = random.below(open.length);
    const transaction = open[position]!;
    if (transaction.result === null && !(transaction.lost && random.below(2) === 0)) {
      transaction.result = execute(lists, transaction.operation);
      continue;
    }
    open.splice(position, 1);
    idle.push(transaction.client);
    if (transaction.lost || transaction.result === null) history.unknown(transaction.id, 'answer lost');
    else history.returned(transaction.id, transaction.result);
  }
  return [...history.calls];
}

/** A history that may or may not be strictly serializable still. */
export function corruptListHistory(random: Random, calls: readonly ListCall[]): ListCall[] {
  const corrupted = [...calls];
  for (let change = 1 + random.below(2); change > 0; change -= 1) {
    const position = random.below(corrupted.length);
    corrupted[position] = corruptCall(random, corrupted[position]!);
  }
  return corrupted;
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
    case 0: {
      const by = random.below(9) - 4;
      const at = outcome.type === 'unknown' ? {} : { outcome: { ...outcome, at: outcome.at + by } };
      return { ...call, calledAt: call.calledAt + by, ...at };
    }
    case 1:
      if (outcome.type !== 'unknown') {
        return { ...call, outcome: { type: 'failed', at: outcome.at, reason: 'corrupted' } };
      }
      return call;
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
