import { present } from '../assert.ts';
import { HistoryError } from '../history-error.ts';
import { limits } from '../limits.ts';
import type { Violation } from '../violation.ts';
import type { RegisterCall, RegisterRead, RegisterAnswer } from './read-write-registers.ts';
import { CallTable } from './call-table.ts';
import { describeRegisters } from './register-words.ts';

/** What a transaction found in a register, or took for granted there, before it wrote to it itself. */
export interface RegisterReading {
  readonly call: RegisterCall;
  readonly key: string;
  readonly version: number;
  readonly inRange: boolean;
}

export interface RegisterObservations {
  /** Transactions that took effect or have an answer. */
  readonly calls: readonly RegisterCall[];
  /** By key, who made each version that somebody knows of. */
  readonly versions: ReadonlyMap<string, ReadonlyMap<number, RegisterCall>>;
  readonly readings: readonly RegisterReading[];
  readonly violations: readonly Violation[];
}

/** What the answers say by themselves: who made which version, and answers that no order could explain. */
export function observeRegisters(calls: readonly RegisterCall[]): RegisterObservations {
  const observer = new Observer(calls);
  for (const call of calls) observer.answer(call);
  observer.finish();
  return observer;
}

class Observer implements RegisterObservations {
  calls: readonly RegisterCall[] = [];
  readonly versions = new Map<string, Map<number, RegisterCall>>();
  readonly readings: RegisterReading[] = [];
  readonly violations: Violation[] = [];
  readonly #all: readonly RegisterCall[];
  /** By key and value. */
  readonly #writers = new Map<string, Map<string, RegisterCall>>();
  /** By key, values that their own transaction wrote over: nobody else may see them. */
  readonly #intermediate = new Map<string, Set<string>>();
  /** The version of all that a transaction wrote: its answer's, or what others have read of it. */
  readonly #versionOf: CallTable;
  readonly #byVersion = new Map<number, RegisterCall>();

  constructor(calls: readonly RegisterCall[]) {
    this.#all = calls;
    this.#versionOf = new CallTable(calls);
    for (const call of calls) this.#writes(call);
    for (const call of calls) {
      const version = call.outcome.type === 'returned' ? call.outcome.result.version : null;
      if (version !== null) this.#tookEffect(call, version, call);
    }
  }

  #writes(call: RegisterCall): void {
    const written = new Map<string, string>();
    for (const step of call.operation) {
      if (step.type !== 'write') continue;
      const { key, value } = step;
      const writers = this.#writers.get(key) ?? new Map<string, RegisterCall>();
      this.#writers.set(key, writers);
      if (writers.has(value)) {
        throw badCall(call, `writes ${value} to ${key}, as another write does: its readers tell nothing`);
      }
      const before = written.get(key);
      if (before !== undefined) {
        const values = this.#intermediate.get(key) ?? new Set();
        this.#intermediate.set(key, values.add(before));
      }
      written.set(key, value);
      writers.set(value, call);
    }
    const { outcome } = call;
    if (outcome.type === 'returned' && (outcome.result.version === null) !== (written.size === 0)) {
      throw badCall(call, `writes ${written.size} keys and has version ${outcome.result.version}`);
    }
  }

  answer(call: RegisterCall): void {
    if (call.outcome.type !== 'returned') return;
    const { result } = call.outcome;
    if (result.reads.length !== call.operation.length) {
      const counts = `${call.operation.length} steps and ${result.reads.length} answers`;
      throw badCall(call, `has ${counts}`);
    }
    const known = new Map<string, RegisterRead>();
    for (const [at, step] of call.operation.entries()) {
      const { key } = step;
      if (step.type === 'write') {
        known.set(key, { version: present(result.version, 'its version'), value: step.value });
      } else if (step.type === 'read') this.#read(call, key, this.#answerOf(result, at), known);
    }
  }

  #answerOf({ reads }: RegisterAnswer, at: number): RegisterRead {
    return present(reads[at], 'what the step read');
  }

  #read(call: RegisterCall, key: string, found: RegisterRead, known: Map<string, RegisterRead>): void {
    const before = known.get(key);
    known.set(key, before ?? found);
    if (before !== undefined) {
      if (before.version === found.version && before.value === found.value) return;
      const what = `read ${text(found)} of ${key}, where it must have seen ${text(before)}`;
      this.#violation('internal', what, [call]);
      return;
    }
    if (found.version === 0 && found.value === null) return;
    const writer = found.value === null ? undefined : this.#writers.get(key)?.get(found.value);
    if (writer === undefined) {
      this.#violation('made-up', `read ${text(found)} of ${key}, which nobody wrote`, [call]);
    } else if (writer === call) {
      this.#violation('internal', `read ${text(found)} of ${key} before it wrote that`, [call]);
    } else if (writer.outcome.type === 'failed') {
      const what = `read ${text(found)} of ${key}, whose transaction had failed`;
      this.#violation('G1a', what, [call, writer]);
    } else if (this.#intermediate.get(key)?.has(found.value ?? '') === true) {
      const what = `read ${text(found)} of ${key}, which transaction ${writer.id} wrote over itself`;
      this.#violation('G1b', what, [call, writer]);
    } else this.#tookEffect(writer, found.version, call);
  }

  /** A transaction is at one version, and no other is there. */
  #tookEffect(writer: RegisterCall, version: number, witness: RegisterCall): void {
    const known = this.#versionOf.get(writer) ?? version;
    const other = this.#byVersion.get(version) ?? writer;
    this.#versionOf.set(writer, known);
    this.#byVersion.set(version, other);
    if (known !== version) {
      const what = `found at version ${version} what transaction ${writer.id} wrote at ${known}`;
      this.#violation('two-versions', what, [witness, writer]);
    } else if (other !== writer) {
      const what = `has version ${version}, as transaction ${other.id} has`;
      this.#violation('same-version', what, [writer, other]);
    }
  }

  /** Also transactions without an answer have taken effect, with all they do, when somebody read of one. */
  finish(): void {
    this.calls = this.#all.filter((call) => call.outcome.type === 'returned' || this.#versionOf.has(call));
    for (const call of this.calls) {
      const own = new Set<string>();
      const reads = call.outcome.type === 'returned' ? call.outcome.result.reads : [];
      for (const [at, step] of call.operation.entries()) {
        const version = step.type === 'expect' ? step.version : reads[at]?.version;
        if (step.type === 'write') this.#addVersion(step.key, call);
        else if (version !== undefined && !own.has(step.key)) {
          this.readings.push({ call, key: step.key, version, inRange: step.inRange === true });
        }
        if (step.type === 'write') own.add(step.key);
      }
    }
    for (const call of this.calls) this.#checkExpectations(call);
  }

  /** Nobody can know of a version that no answer has shown. */
  #checkExpectations(call: RegisterCall): void {
    for (const step of call.operation) {
      if (step.type !== 'expect' || step.version === 0) continue;
      const writer = this.versions.get(step.key)?.get(step.version);
      if (writer !== undefined && writer !== call) continue;
      const what = `found ${step.key} at version ${step.version}, which nobody else wrote`;
      this.#violation('made-up', what, [call]);
    }
  }

  #addVersion(key: string, call: RegisterCall): void {
    const versions = this.versions.get(key) ?? new Map<number, RegisterCall>();
    this.versions.set(key, versions);
    versions.set(present(this.#versionOf.get(call), 'its version'), call);
  }

  #violation(rule: string, what: string, calls: readonly RegisterCall[]): void {
    if (this.violations.length >= limits.violations) return;
    this.violations.push({
      rule: `registers/${rule}`,
      message: `${describeRegisters(present(calls[0], 'a call'))} ${what}`,
      calls: calls.map(({ id }) => id),
    });
  }
}

function text({ version, value }: RegisterRead): string {
  return value === null ? `nothing at version ${version}` : `${value} at version ${version}`;
}

function badCall({ id }: RegisterCall, what: string): HistoryError {
  return new HistoryError('FLOTILLA_HISTORY_OPERATION', `call ${id} ${what}`, { call: id });
}
