import { inRange } from '@flotilla/check';
import type {
  Compare,
  EtcdCall,
  EtcdResponse,
  RegisterCall,
  RegisterRead,
  RegisterStep,
  TxnOperation,
  TxnResult,
} from '@flotilla/check';

interface StepWithAnswer {
  readonly step: RegisterStep;
  readonly read: RegisterRead | null;
}

/**
 * Requests of etcd as transactions on registers, for `checkReadWriteRegisters`. A compare with a version is what the
 * transaction expects, a range reads all keys of the workload that are in it, whether they are there or not. Nothing
 * may delete, and a branch that a failed compare leads to may only read.
 */
export function registerCallsOf(calls: readonly EtcdCall[]): readonly RegisterCall[] {
  const names = new Set<string>();
  for (const { operation } of calls) if (operation.type !== 'compact') addNames(operation, names);
  const converter = new Converter([...names].sort(), valuesSeen(calls));
  return calls.flatMap((call) => converter.convert(call) ?? []);
}

function addNames(operation: TxnOperation, names: Set<string>): void {
  if (operation.type === 'delete-range') throw new Error('a register cannot be deleted');
  if (operation.type === 'put') names.add(operation.key);
  if (operation.type !== 'txn') return;
  for (const nested of [...operation.success, ...operation.failure]) addNames(nested, names);
}

/** By key and value, what any answer has shown. */
function valuesSeen(calls: readonly EtcdCall[]): ReadonlySet<string> {
  const seen = new Set<string>();
  const visit = (result: TxnResult): void => {
    if (result.type === 'range') for (const { key, value } of result.kvs) seen.add(`${key} ${value}`);
    if (result.type === 'txn') result.responses.forEach(visit);
  };
  for (const { outcome } of calls) {
    if (outcome.type !== 'returned') continue;
    if (outcome.result.type !== 'error' && outcome.result.type !== 'compact') visit(outcome.result);
  }
  return seen;
}

class Converter {
  readonly #names: readonly string[];
  readonly #seen: ReadonlySet<string>;

  constructor(names: readonly string[], seen: ReadonlySet<string>) {
    this.#names = names;
    this.#seen = seen;
  }

  convert({ operation: request, outcome, ...call }: EtcdCall): RegisterCall | null {
    if (request.type === 'compact') throw new Error('a workload of registers does not compact');
    if (outcome.type !== 'returned') {
      const operation = [...this.#steps(request, null)].map(({ step }) => step);
      return { ...call, operation, outcome };
    }
    const { result } = outcome;
    if (result.type === 'error' || result.type === 'compact') return null;
    const done = this.#steps(request, result);
    const operation = done.map(({ step }) => step);
    const version = operation.some(({ type }) => type === 'write') ? revisionOf(result) : null;
    const answer = { version, reads: done.map(({ read }) => read) };
    return { ...call, operation, outcome: { ...outcome, result: answer } };
  }

  /** What it does, or, without an answer, what it does if everything is as it expects. */
  #steps(request: TxnOperation, result: TxnResult | null): StepWithAnswer[] {
    switch (request.type) {
      case 'put':
        return [{ step: { type: 'write', key: request.key, value: request.value }, read: null }];
      case 'range':
        return request.countOnly ? [] : this.#reads(request.key, request.rangeEnd, result);
      case 'txn': {
        const answer = result?.type === 'txn' ? result : null;
        const hasSucceeded = answer?.succeeded ?? true;
        const expected = hasSucceeded
          ? request.compare.flatMap((compare) => this.#expectations(compare))
          : [];
        if (request.failure.some(({ type }) => type !== 'range'))
          throw new Error('a failed branch may only read');
        const branch = hasSucceeded ? request.success : request.failure;
        const steps = branch.flatMap((operation, at) => {
          const part = answer?.responses[at] ?? null;
          return part === null && !this.#isCertain(operation) ? [] : this.#steps(operation, part);
        });
        return [...expected.map((step) => ({ step, read: null })), ...steps];
      }
      case 'delete-range':
        throw new Error('a register cannot be deleted');
    }
  }

  /** Of a nested transaction without an answer only what somebody saw of it says that it was as it expected. */
  #isCertain(operation: TxnOperation): boolean {
    if (operation.type !== 'txn') return true;
    return operation.success.some((step) =>
      step.type === 'put'
        ? this.#seen.has(`${step.key} ${step.value}`)
        : step.type === 'txn' && this.#isCertain(step),
    );
  }

  #reads(key: string, rangeEnd: string, result: TxnResult | null): StepWithAnswer[] {
    const found = new Map(result?.type === 'range' ? result.kvs.map((kv) => [kv.key, kv]) : []);
    const isRange = rangeEnd !== '';
    const keys = isRange ? this.#names.filter((name) => inRange(name, key, rangeEnd)) : [key];
    return keys.map((name) => {
      const kv = found.get(name);
      const read = { version: kv?.modRevision ?? 0, value: kv?.value ?? null };
      return { step: { type: 'read', key: name, inRange: isRange }, read: result === null ? null : read };
    });
  }

  #expectations({ key, rangeEnd, result, target }: Compare): RegisterStep[] {
    if (result !== 'equal' || target.type === 'value' || target.type === 'lease') return [];
    // Other versions of a key than 0 do not say which revision it is.
    if (target.value !== 0 && (target.type !== 'mod' || rangeEnd !== '')) return [];
    if (rangeEnd === '') return [{ type: 'expect', key, version: target.value }];
    const keys = this.#names.filter((name) => inRange(name, key, rangeEnd));
    return keys.map((name) => ({ type: 'expect', key: name, version: 0, inRange: true }));
  }
}

function revisionOf(result: EtcdResponse): number {
  return result.type === 'error' ? 0 : result.revision;
}
