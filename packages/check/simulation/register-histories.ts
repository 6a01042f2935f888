import type { Random } from '@flotilla/platform';
import { History, type Call } from '../src/history.ts';
import type { RegisterOperation, RegisterResult } from '../src/models/register.ts';
import { movedInTime, withChanges } from './open-transactions.ts';

export type RegisterCall = Call<RegisterOperation, RegisterResult>;

export interface HistoryShape {
  readonly calls: number;
  readonly clients: number;
  readonly keys: number;
  /** Of 100 calls, how many lose their answer. */
  readonly lostPercent: number;
  /** How many values writes draw from: few of them make different writes look alike. */
  readonly values: number;
}

/** A call on its way: asked, then (perhaps) done, then answered. */
interface OpenCall {
  readonly id: number;
  readonly client: number;
  readonly operation: RegisterOperation;
  /** Loses its answer; then it may also never reach the object. */
  readonly lost: boolean;
  result: RegisterResult | null;
}

/** A history of registers that really were linearizable: each call takes effect at one moment while it is open. */
export function registerHistory(random: Random, shape: HistoryShape): RegisterCall[] {
  let time = 0;
  const history = new History<RegisterOperation, RegisterResult>(() => (time += random.below(2)));
  const registers = new Map<string, string>();
  const open: OpenCall[] = [];
  const idle = Array.from({ length: shape.clients }, (_, client) => client);
  let made = 0;
  while (made < shape.calls || open.length > 0) {
    if (made < shape.calls && idle.length > 0 && (open.length === 0 || random.below(2) === 0)) {
      const client = idle.splice(random.below(idle.length), 1)[0]!;
      const operation = randomOperation(random, shape);
      const lost = random.below(100) < shape.lostPercent;
      open.push({ id: history.call(client, operation), client, operation, lost, result: null });
      made += 1;
      continue;
    }
    const position = random.below(open.length);
    const call = open[position]!;
    if (call.result === null) {
      call.result = apply(registers, call.operation);
      continue;
    }
    open.splice(position, 1);
    idle.push(call.client);
    if (call.lost) history.unknown(call.id, 'answer lost');
    else history.returned(call.id, call.result);
  }
  return [...history.calls];
}

/** A history that may or may not be linearizable still: one or two answers are changed, or one call's times. */
export function corruptRegisterHistory(random: Random, calls: readonly RegisterCall[]): RegisterCall[] {
  return withChanges(random, calls, (call) => corruptCall(random, call));
}

function corruptCall(random: Random, call: RegisterCall): RegisterCall {
  const { outcome } = call;
  if (outcome.type !== 'returned' || random.below(3) === 0) return movedInTime(random, call);
  switch (outcome.result.type) {
    case 'read': {
      const value = random.below(3) === 0 ? null : `v${random.below(3)}`;
      return { ...call, outcome: { ...outcome, result: { type: 'read', value } } };
    }
    case 'compare-and-swap': {
      const swapped = !outcome.result.swapped;
      return { ...call, outcome: { ...outcome, result: { type: 'compare-and-swap', swapped } } };
    }
    case 'write':
      return { ...call, outcome: { type: 'unknown', reason: 'corrupted' } };
  }
}

/** The same call, earlier or later as a whole. */
function randomOperation(random: Random, shape: HistoryShape): RegisterOperation {
  const key = `k${random.below(shape.keys)}`;
  const value = `v${random.below(shape.values)}`;
  switch (random.below(5)) {
    case 0:
    case 1:
      return { type: 'read', key };
    case 2:
      return { type: 'compare-and-swap', key, from: `v${random.below(shape.values)}`, to: value };
    default:
      return { type: 'write', key, value };
  }
}

function apply(registers: Map<string, string>, operation: RegisterOperation): RegisterResult {
  const current = registers.get(operation.key) ?? null;
  switch (operation.type) {
    case 'read':
      return { type: 'read', value: current };
    case 'write':
      registers.set(operation.key, operation.value);
      return { type: 'write' };
    case 'compare-and-swap': {
      const swapped = current === operation.from;
      if (swapped) registers.set(operation.key, operation.to);
      return { type: 'compare-and-swap', swapped };
    }
  }
}
