import { present } from '../assert.ts';
import { HistoryError } from '../history-error.ts';
import { limits } from '../limits.ts';
import type { Violation } from '../violation.ts';
import { describeTransaction } from './describe-transaction.ts';
import type { ListCall } from './list-append.ts';

/** What a transaction found in a list, before it appended to it itself. */
export interface Reading {
  readonly call: ListCall;
  readonly key: string;
  /** How many elements it found. */
  readonly length: number;
}

/** Everything that is known of the list of one key. */
export interface Versions {
  /** The longest list that anybody read: every other one is a beginning of it. */
  readonly order: readonly number[];
  /** Who appended what, also what nobody read. */
  readonly writers: ReadonlyMap<number, ListCall>;
}

export interface Observations {
  readonly calls: readonly ListCall[];
  readonly versions: ReadonlyMap<string, Versions>;
  readonly readings: readonly Reading[];
  readonly violations: readonly Violation[];
}

interface List {
  order: readonly number[];
  /** Who read the longest. */
  reader: ListCall | null;
  readonly writers: Map<number, ListCall>;
}

/** What the answers say by themselves: the order of each list, and reads that no order could explain. */
export function observe(calls: readonly ListCall[]): Observations {
  const observer = new Observer();
  for (const call of calls) observer.write(call);
  for (const call of calls) observer.read(call);
  observer.compare();
  const { lists, readings, violations } = observer;
  return { calls, versions: lists, readings, violations };
}

interface Seen {
  readonly call: ListCall;
  readonly key: string;
  readonly list: readonly number[];
}

class Observer {
  readonly lists = new Map<string, List>();
  readonly readings: Reading[] = [];
  readonly violations: Violation[] = [];
  readonly #seen: Seen[] = [];
  /** What the transaction at hand knows to be in each list, and what it has appended before it read it. */
  readonly #known = new Map<string, readonly number[]>();
  readonly #appended = new Map<string, readonly number[]>();

  write(call: ListCall): void {
    for (const operation of call.operation) {
      if (operation.type !== 'append') continue;
      const { writers } = this.#list(operation.key);
      if (writers.has(operation.element)) {
        throw new HistoryError(
          'FLOTILLA_HISTORY_OPERATION',
          `call ${call.id} appends ${operation.element} to ${operation.key}, as another append does: its readers tell nothing`,
          { call: call.id },
        );
      }
      writers.set(operation.element, call);
    }
  }

  read(call: ListCall): void {
    if (call.outcome.type !== 'returned') return;
    const { result } = call.outcome;
    if (result.length !== call.operation.length) {
      throw new HistoryError(
        'FLOTILLA_HISTORY_OPERATION',
        `call ${call.id} has ${call.operation.length} operations and ${result.length} answers`,
        { call: call.id },
      );
    }
    const known = this.#known;
    const appended = this.#appended;
    known.clear();
    appended.clear();
    for (const [at, operation] of call.operation.entries()) {
      const { key } = operation;
      if (operation.type === 'append') {
        const { element } = operation;
        const before = known.get(key);
        if (before !== undefined) known.set(key, [...before, element]);
        else appended.set(key, [...(appended.get(key) ?? []), element]);
        continue;
      }
      const list = present(result[at], 'the list that it read');
      const before = known.get(key);
      if (before === undefined) this.#firstRead({ call, key, list }, appended.get(key) ?? none);
      else if (!equal(before, list)) {
        this.#violation('internal', `read ${text(list)} of ${key}, where it must have seen ${text(before)}`, [
          call,
        ]);
      }
      known.set(key, list);
    }
  }

  /** What it found is what it read, without what it had appended itself. */
  #firstRead(seen: Seen, own: readonly number[]): void {
    const { call, key, list } = seen;
    const length = list.length - own.length;
    if (length < 0 || !endsWith(list, list.length, own)) {
      this.#violation('internal', `read ${text(list)} of ${key}, after it had appended ${text(own)}`, [call]);
      return;
    }
    this.readings.push({ call, key, length });
    this.#seen.push(seen);
    const known = this.#list(key);
    if (list.length <= known.order.length && known.reader !== null) return;
    known.order = list;
    known.reader = call;
  }

  /** Every list is a beginning of the longest one, and all of that was appended by somebody, once. */
  compare(): void {
    for (const [key, list] of this.lists) this.#checkOrder(key, list);
    for (const { call, key, list } of this.#seen) {
      const { order, reader } = this.#list(key);
      if (endsWith(order, list.length, list)) continue;
      const other = present(reader, 'who read all of it');
      this.#violation(
        'incompatible-orders',
        `read ${text(list)} of ${key}, and another read ${text(order)}`,
        [call, other],
      );
    }
  }

  #checkOrder(key: string, { order, reader, writers }: List): void {
    const before = new Set<number>();
    for (const element of order) {
      const call = present(reader, 'who read all of it');
      const writer = writers.get(element);
      if (before.has(element)) {
        this.#violation('duplicate-element', `read ${element} twice in ${key}`, [call]);
      } else if (writer === undefined) {
        this.#violation('made-up', `read ${element} in ${key}, which nobody appended`, [call]);
      } else if (writer.outcome.type === 'failed') {
        this.#violation('G1a', `read ${element} in ${key}, whose transaction had failed`, [call, writer]);
      } else if (firstMissing(writer, key, before) !== element) {
        const what = `read ${element} in ${key} without what its transaction had appended before`;
        this.#violation('own-order', what, [call, writer]);
      }
      before.add(element);
    }
  }

  #list(key: string): List {
    let list = this.lists.get(key);
    if (list === undefined) {
      list = { order: [], reader: null, writers: new Map() };
      this.lists.set(key, list);
    }
    return list;
  }

  #violation(rule: string, text: string, calls: readonly ListCall[]): void {
    if (this.violations.length >= limits.violations) return;
    const [first] = calls;
    this.violations.push({
      rule: `list-append/${rule}`,
      message: `${describeTransaction(present(first, 'a call'))} ${text}`,
      calls: calls.map(({ id }) => id),
    });
  }
}

const none: readonly number[] = [];

/** What the transaction appended first to the key of all that is not there yet. */
function firstMissing(call: ListCall, key: string, there: ReadonlySet<number>): number | undefined {
  for (const step of call.operation) {
    if (step.type === 'append' && step.key === key && !there.has(step.element)) return step.element;
  }
  return undefined;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && endsWith(a, a.length, b);
}

/** Whether the first `length` elements of `list` end with all of `tail`. */
function endsWith(list: readonly number[], length: number, tail: readonly number[]): boolean {
  const start = length - tail.length;
  if (start < 0 || length > list.length) return false;
  for (let at = 0; at < tail.length; at += 1) if (list[start + at] !== tail[at]) return false;
  return true;
}

function text(list: readonly number[]): string {
  return `[${list.join(', ')}]`;
}
