// What checking costs: prints one line for each kind of history. Nothing is asserted.
import { seededRandom } from '@flotilla/platform';
import {
  checkLinearizability,
  checkListAppend,
  checkReadWriteRegisters,
  checkRevisions,
  registerModel,
} from '../src/index.ts';
import { etcdHistory } from '../simulation/etcd-histories.ts';
import { listHistory } from '../simulation/list-histories.ts';
import { registerHistory, type HistoryShape } from '../simulation/register-histories.ts';
import { transactionHistory } from '../simulation/transaction-histories.ts';

const shapes: readonly HistoryShape[] = [
  { calls: 10_000, clients: 10, keys: 10, lostPercent: 0, values: 1e6 },
  { calls: 10_000, clients: 10, keys: 10, lostPercent: 2, values: 1e6 },
  { calls: 10_000, clients: 30, keys: 10, lostPercent: 0, values: 1e6 },
  { calls: 100_000, clients: 10, keys: 50, lostPercent: 0, values: 1e6 },
];

function measure(check: () => string): string {
  // The first runs pay for the compiler.
  check();
  check();
  const start = performance.now();
  const outcome = check();
  return `${outcome} in ${(performance.now() - start).toFixed(0)} ms`;
}

for (const shape of shapes) {
  const { calls, clients, keys, lostPercent } = shape;
  const what = `${calls} calls, ${clients} clients, ${keys} keys, ${lostPercent} % lost`;
  const registers = registerHistory(seededRandom(1), shape);
  console.log(
    `linearizability, ${what}:`,
    measure(() => checkLinearizability(registerModel, registers).verdict.outcome),
  );
  if (calls > 10_000) continue;
  const etcd = etcdHistory(seededRandom(1), shape);
  console.log(
    `revisions with order, ${what}:`,
    measure(() => checkRevisions(etcd.calls, { persisted: etcd.revisions }).verdict.outcome),
  );
}

// Transactions as Elle is measured: many short ones over so many keys that lists stay short.
const many = { calls: 100_000, clients: 10, keys: 20_000, lostPercent: 1 };
const lists = listHistory(seededRandom(1), many);
console.log(
  `list-append, ${many.calls} transactions, ${many.keys} keys:`,
  measure(() => checkListAppend(lists).verdict.outcome),
);
const registers = transactionHistory(seededRandom(1), many);
console.log(
  `registers with versions, ${many.calls} transactions, ${many.keys} keys:`,
  measure(() => checkReadWriteRegisters(registers).verdict.outcome),
);
