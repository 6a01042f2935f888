import type { Random } from '@flotilla/platform';
import { History } from '../src/history.ts';
import type {
  RegisterAnswer,
  RegisterCall,
  RegisterRead,
  RegisterStep,
  RegisterTransaction,
} from '../src/transactions/read-write-registers.ts';
import type { HistoryShape } from './register-histories.ts';

/** A transaction on its way: asked, then (perhaps) done, then answered. */
interface OpenTransaction {
  readonly id: number;
  readonly client: number;
  readonly operation: RegisterTransaction;
  /** Loses its answer; then it may also never be done. */
  readonly lost: boolean;
  result: RegisterAnswer | 'refused' | null;
}

export type Registers = Map<string, RegisterRead>;

/** Transactions on registers that really happened at one moment each, every write at a revision of its own. */
export function transactionHistory(random: Random, shape: Omit<HistoryShape, 'values'>): RegisterCall[] {
  let time = 0;
  let revision = 1;
  const history = new History<RegisterTransaction, RegisterAnswer>(() => (time += random.below(2)));
  const registers: Registers = new Map();
  /** By key, the latest version that any client was told of. */
  const known = new Map<string, number>();
  const open: OpenTransaction[] = [];
  const idle = Array.from({ length: shape.clients }, (_, client) => client);
  let made = 0;
  while (made < shape.calls || open.length > 0) {
    if (made < shape.calls && idle.length > 0 && (open.length === 0 || random.below(2) === 0)) {
      const client = idle.splice(random.below(idle.length), 1)[0]!;
      const operation = randomTransaction(random, shape.keys, made, known);
      const lost = random.below(100) < shape.lostPercent;
      open.push({ id: history.call(client, operation), client, operation, lost, result: null });
      made += 1;
      continue;
    }
    const position = random.below(open.length);
    const transaction = open[position]!;
    if (transaction.result === null && !(transaction.lost && random.below(2) === 0)) {
      const { operation } = transaction;
      const isWrite = operation.some(({ type }) => type === 'write');
      const reads = executeRegisters(registers, operation, revision + 1);
      if (isWrite && reads !== null) revision += 1;
      transaction.result = reads === null ? 'refused' : { version: isWrite ? revision : null, reads };
      continue;
    }
    open.splice(position, 1);
    idle.push(transaction.client);
    const { id, lost, result } = transaction;
    if (result === 'refused') history.failed(id, 'expected another version');
    else if (lost || result === null) history.unknown(id, 'answer lost');
    else {
      history.returned(id, result);
      for (const [at, read] of result.reads.entries()) {
        const step = transaction.operation[at]!;
        if (read !== null) known.set(step.key, read.version);
        else if (step.type === 'write') known.set(step.key, result.version ?? 0);
      }
    }
  }
  return [...history.calls];
}

/** What each step answers, and what it does to the registers; null: something was not as expected. */
export function executeRegisters(
  registers: Registers,
  transaction: RegisterTransaction,
  version: number,
): (RegisterRead | null)[] | null {
  const at = (key: string): RegisterRead => registers.get(key) ?? { version: 0, value: null };
  if (transaction.some((step) => step.type === 'expect' && at(step.key).version !== step.version))
    return null;
  return transaction.map((step) => {
    if (step.type === 'write') registers.set(step.key, { version, value: step.value });
    return step.type === 'read' ? at(step.key) : null;
  });
}

/** A history that may or may not be strictly serializable still. */
export function corruptTransactionHistory(random: Random, calls: readonly RegisterCall[]): RegisterCall[] {
  const corrupted = [...calls];
  for (let change = 1 + random.below(2); change > 0; change -= 1) {
    const position = random.below(corrupted.length);
    corrupted[position] = corruptCall(random, corrupted[position]!, calls);
  }
  return corrupted;
}

function corruptCall(random: Random, call: RegisterCall, calls: readonly RegisterCall[]): RegisterCall {
  const { outcome } = call;
  switch (random.below(5)) {
    case 0: {
      const by = random.below(9) - 4;
      const at = outcome.type === 'unknown' ? {} : { outcome: { ...outcome, at: outcome.at + by } };
      return { ...call, calledAt: call.calledAt + by, ...at };
    }
    case 1:
      if (outcome.type === 'unknown') return call;
      return { ...call, outcome: { type: 'failed', at: outcome.at, reason: 'corrupted' } };
    case 2: {
      if (outcome.type !== 'returned' || outcome.result.version === null) return call;
      const version = outcome.result.version + random.below(3) - 1;
      return { ...call, outcome: { ...outcome, result: { ...outcome.result, version } } };
    }
    default: {
      if (outcome.type !== 'returned') return call;
      const reads = corruptReads(random, call, outcome.result.reads, calls);
      return { ...call, outcome: { ...outcome, result: { ...outcome.result, reads } } };
    }
  }
}

/** Some read is of another version that somebody read of the key, or of nothing. */
function corruptReads(
  random: Random,
  call: RegisterCall,
  reads: readonly (RegisterRead | null)[],
  calls: readonly RegisterCall[],
): (RegisterRead | null)[] {
  const position = random.below(reads.length);
  return reads.map((read, at) => {
    if (at !== position || read === null) return read;
    const { key } = call.operation[at]!;
    const others = calls.flatMap(({ operation, outcome }) =>
      outcome.type === 'returned'
        ? outcome.result.reads.filter((other, i) => other !== null && operation[i]!.key === key)
        : [],
    );
    const other = others[random.below(others.length)] ?? null;
    return random.below(3) === 0 || other === null ? { version: 0, value: null } : other;
  });
}

function randomTransaction(
  random: Random,
  keys: number,
  number: number,
  known: ReadonlyMap<string, number>,
): RegisterTransaction {
  const written = new Set<string>();
  return Array.from({ length: 1 + random.below(MAX_STEPS) }, (): RegisterStep => {
    const key = `k${random.below(keys)}`;
    const drawn = random.below(5);
    if (drawn < 2 || written.has(key)) return { type: 'read', key };
    if (drawn === 2) return { type: 'expect', key, version: known.get(key) ?? 0 };
    written.add(key);
    return { type: 'write', key, value: `${number}` };
  });
}

const MAX_STEPS = 4;
