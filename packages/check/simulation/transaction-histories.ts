import type { Random } from '@flotilla/platform';
import type {
  RegisterAnswer,
  RegisterCall,
  RegisterRead,
  RegisterStep,
  RegisterTransaction,
} from '../src/transactions/read-write-registers.ts';
import { movedInTime, openTransactions, saidToHaveFailed, withChanges } from './open-transactions.ts';
import type { HistoryShape } from './register-histories.ts';

export type Registers = Map<string, RegisterRead>;

/** Transactions on registers that really happened at one moment each, every write at a revision of its own. */
export function transactionHistory(random: Random, shape: Omit<HistoryShape, 'values'>): RegisterCall[] {
  let revision = 1;
  const registers: Registers = new Map();
  /** By key, the latest version that any client was told of. */
  const known = new Map<string, number>();
  return openTransactions<RegisterTransaction, RegisterAnswer>(random, shape, {
    draw: (made) => randomTransaction(random, shape.keys, made, known),
    execute: (operation) => {
      const isWrite = operation.some(({ type }) => type === 'write');
      const reads = executeRegisters(registers, operation, revision + 1);
      if (reads === null) return null;
      if (isWrite) revision += 1;
      return { version: isWrite ? revision : null, reads };
    },
    answered: (operation, { version, reads }) => {
      for (const [at, read] of reads.entries()) {
        const step = operation[at]!;
        if (read !== null) known.set(step.key, read.version);
        else if (step.type === 'write') known.set(step.key, version ?? 0);
      }
    },
  });
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
  return withChanges(random, calls, (call) => corruptCall(random, call, calls));
}

function corruptCall(random: Random, call: RegisterCall, calls: readonly RegisterCall[]): RegisterCall {
  const { outcome } = call;
  switch (random.below(5)) {
    case 0:
      return movedInTime(random, call);
    case 1:
      return saidToHaveFailed(call);
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
