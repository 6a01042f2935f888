import type { Random } from '@flotilla/platform';
import { type Call, History } from '../src/history.ts';
import type { HistoryShape } from './register-histories.ts';

/** What transactions are, and what they do. */
export interface Transactions<Operation, Result> {
  /** The next one, of which so many were drawn before. */
  draw(made: number): Operation;
  /** Carries it out at this moment. Null: it is refused, and has changed nothing. */
  execute(operation: Operation): Result | null;
  /** Its client has heard of it. */
  answered?(operation: Operation, result: Result): void;
}

/** A transaction on its way: asked, then (perhaps) done, then answered. */
interface OpenTransaction<Operation, Result> {
  readonly id: number;
  readonly client: number;
  readonly operation: Operation;
  /** Loses its answer; then it may also never be done. */
  readonly lost: boolean;
  /** Null: it is not done. */
  done: { readonly result: Result | null } | null;
}

/** A history that really was strictly serializable: each transaction happens at one moment while it is open. */
export function openTransactions<Operation, Result>(
  random: Random,
  shape: Omit<HistoryShape, 'values'>,
  transactions: Transactions<Operation, Result>,
): Call<Operation, Result>[] {
  let time = 0;
  const history = new History<Operation, Result>(() => (time += random.below(2)));
  const open: OpenTransaction<Operation, Result>[] = [];
  const idle = Array.from({ length: shape.clients }, (_, client) => client);
  let made = 0;
  while (made < shape.calls || open.length > 0) {
    if (made < shape.calls && idle.length > 0 && (open.length === 0 || random.below(2) === 0)) {
      const client = idle.splice(random.below(idle.length), 1)[0]!;
      const operation = transactions.draw(made);
      const lost = random.below(100) < shape.lostPercent;
      open.push({ id: history.call(client, operation), client, operation, lost, done: null });
      made += 1;
      continue;
    }
    const position = random.below(open.length);
    const transaction = open[position]!;
    const { id, client, operation, lost, done } = transaction;
    if (done === null && !(lost && random.below(2) === 0)) {
      transaction.done = { result: transactions.execute(operation) };
      continue;
    }
    open.splice(position, 1);
    idle.push(client);
    if (done !== null && done.result === null) history.failed(id, 'expected another version');
    else if (lost || done === null || done.result === null) history.unknown(id, 'answer lost');
    else {
      history.returned(id, done.result);
      transactions.answered?.(operation, done.result);
    }
  }
  return [...history.calls];
}

/** A history in which one or two calls are changed, and which may be a right one still. */
export function withChanges<Operation, Result>(
  random: Random,
  calls: readonly Call<Operation, Result>[],
  change: (call: Call<Operation, Result>) => Call<Operation, Result>,
): Call<Operation, Result>[] {
  const changed = [...calls];
  for (let left = 1 + random.below(2); left > 0; left -= 1) {
    const position = random.below(changed.length);
    changed[position] = change(changed[position]!);
  }
  return changed;
}

/** It took place a little earlier or later. */
export function movedInTime<Operation, Result>(
  random: Random,
  call: Call<Operation, Result>,
): Call<Operation, Result> {
  const { outcome } = call;
  const by = random.below(9) - 4;
  const at = outcome.type === 'unknown' ? {} : { outcome: { ...outcome, at: outcome.at + by } };
  return { ...call, calledAt: call.calledAt + by, ...at };
}

/** What was done is said to have failed. */
export function saidToHaveFailed<Operation, Result>(call: Call<Operation, Result>): Call<Operation, Result> {
  const { outcome } = call;
  if (outcome.type === 'unknown') return call;
  return { ...call, outcome: { type: 'failed', at: outcome.at, reason: 'corrupted' } };
}
