import { endOf, type Call, type Outcome } from '../history.ts';
import { HistoryError, type HistoryErrorCode } from '../history-error.ts';
import { limits } from '../limits.ts';
import { decodeValue, isRecord } from './json-values.ts';

/** What the operations and answers of a model look like. Each throws in words on what is not one. */
export interface HistoryFormat<Operation, Result> {
  operation(value: unknown): Operation;
  result(value: unknown, operation: Operation): Result;
}

export interface HistoryFileOptions {
  /** One client may have several calls open at once. */
  readonly overlapping?: boolean;
  /** Kinds of lines beside calls: their values by `type`. */
  readonly facts?: readonly string[];
}

/** A line that is no call, such as a watch. */
export interface Fact {
  readonly type: string;
  readonly line: number;
  readonly value: Readonly<Record<string, unknown>>;
}

export interface HistoryFile<Operation, Result> {
  readonly calls: readonly Call<Operation, Result>[];
  /** The line that made each call, by id. */
  readonly lines: readonly number[];
  readonly facts: readonly Fact[];
}

type Values = Readonly<Record<string, unknown>>;

/**
 * Reads a history of one JSON object a line. A line is a whole call, `{client, operation, calledAt, outcome}`, or one
 * end of a call: `{type: 'call', client, operation, at}`, then `{type: 'returned', client, result, at}`, or `failed` or
 * `unknown` with a `reason`. Where no line has a time, their order is the time. A call without an end is unknown.
 *
 * Throws a {@link HistoryError} that names the first line that is damaged or cannot be.
 */
export function readHistoryFile<Operation, Result>(
  text: string,
  format: HistoryFormat<Operation, Result>,
  options: HistoryFileOptions = {},
): HistoryFile<Operation, Result> {
  const reader = new Reader(format, options);
  let line = 0;
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    line += 1;
    if (end > start) reader.read(text.slice(start, end).replace(/\r$/, ''), line);
    start = end + 1;
  }
  return reader;
}

class Reader<Operation, Result> implements HistoryFile<Operation, Result> {
  readonly calls: Call<Operation, Result>[] = [];
  readonly lines: number[] = [];
  readonly facts: Fact[] = [];
  readonly #format: HistoryFormat<Operation, Result>;
  readonly #options: HistoryFileOptions;
  /** By client, its call that waits for its end. */
  readonly #open = new Map<number, number>();
  /** By client, when its last call ended, and the line of that call. */
  readonly #ends = new Map<number, { readonly at: number; readonly line: number }>();
  #line = 0;
  /** Whether the first end of a call had a time; null: there was none yet. */
  #hasTimes: boolean | null = null;

  constructor(format: HistoryFormat<Operation, Result>, options: HistoryFileOptions) {
    this.#format = format;
    this.#options = options;
  }

  read(text: string, line: number): void {
    this.#line = line;
    const values = this.#parse(text);
    const { type } = values;
    if (type === undefined) return this.#wholeCall(values);
    if (type === 'call') return this.#call(values);
    if (type === 'returned' || type === 'failed' || type === 'unknown') return this.#end(type, values);
    if (typeof type !== 'string' || this.#options.facts?.includes(type) !== true) {
      throw this.#error(
        'FLOTILLA_HISTORY_LINE',
        `is not a call of a history: its type is ${JSON.stringify(values['type'])}`,
      );
    }
    this.facts.push({ type, line, value: values });
  }

  #parse(text: string): Values {
    if (text.length > limits.historyLineCharacters) {
      throw this.#error('FLOTILLA_HISTORY_LINE', `is too long: ${text.length} characters`);
    }
    const parsed = this.#attempt('FLOTILLA_HISTORY_LINE', () => {
      try {
        return JSON.parse(text) as unknown;
      } catch (error) {
        throw new Error(`is not JSON: ${messageOf(error)}`, { cause: error });
      }
    });
    const values = this.#attempt('FLOTILLA_HISTORY_LINE', () => decodeValue(parsed));
    if (!isRecord(values)) throw this.#error('FLOTILLA_HISTORY_LINE', 'is not a call of a history');
    return values;
  }

  #wholeCall(values: Values): void {
    const { id, calledAt, outcome } = values;
    if (!('operation' in values) || !isRecord(outcome)) {
      throw this.#error('FLOTILLA_HISTORY_LINE', 'is not a call of a history');
    }
    if (id !== undefined && id !== this.calls.length) {
      throw this.#error(
        'FLOTILLA_HISTORY_LINE',
        `holds call ${JSON.stringify(values['id'])}, expected ${this.calls.length}: calls are numbered from 0`,
      );
    }
    const from = this.#time('calledAt', calledAt);
    const operation = this.#operation(values['operation']);
    const client = this.#client(values);
    this.#begin(client, from);
    this.#add(client, operation, from, this.#outcome(outcome['type'], outcome, operation, from));
    const call = this.calls.at(-1) as Call<Operation, Result>;
    if (call.outcome.type !== 'unknown') this.#ends.set(client, { at: endOf(call), line: this.#line });
  }

  #call(values: Values): void {
    const client = this.#client(values);
    const from = this.#eventTime(values);
    const open = this.#open.get(client);
    if (open !== undefined) {
      // Several at once could not be told apart by their ends: whole calls say that better.
      const made = `its call of line ${this.lines[open]} is still open`;
      throw this.#error('FLOTILLA_HISTORY_OVERLAP', `is a call of client ${client}, and ${made}`);
    }
    this.#begin(client, from);
    this.#open.set(client, this.calls.length);
    const operation = this.#operation(values['operation']);
    this.#add(client, operation, from, { type: 'unknown', reason: 'no answer' });
  }

  #end(type: Outcome<Result>['type'], values: Values): void {
    const client = this.#client(values);
    const id = this.#open.get(client);
    const call = id === undefined ? undefined : this.calls[id];
    if (id === undefined || call === undefined) {
      throw this.#error('FLOTILLA_HISTORY_UNMATCHED', `ends a call of client ${client}, which has none open`);
    }
    this.#open.delete(client);
    // An unknown outcome has no end: when somebody gave up waiting says nothing.
    const at = type === 'unknown' ? null : this.#eventTime(values);
    const outcome = this.#outcome(type, { ...values, at }, call.operation, call.calledAt);
    this.calls[id] = { ...call, outcome };
    if (at !== null) this.#ends.set(client, { at, line: this.lines[id] as number });
  }

  #begin(client: number, from: number): void {
    const last = this.#ends.get(client);
    if (this.#options.overlapping === true || last === undefined || from >= last.at) return;
    const before = `its call of line ${last.line} ends at ${last.at}`;
    throw this.#error('FLOTILLA_HISTORY_OVERLAP', `has client ${client} call at ${from}, and ${before}`);
  }

  #add(client: number, operation: Operation, calledAt: number, outcome: Outcome<Result>): void {
    this.calls.push({ id: this.calls.length, client, operation, calledAt, outcome });
    this.lines.push(this.#line);
  }

  #outcome(type: unknown, values: Values, operation: Operation, calledAt: number): Outcome<Result> {
    const reason = typeof values['reason'] === 'string' ? values['reason'] : '';
    if (type === 'unknown') return { type, reason };
    if (type !== 'returned' && type !== 'failed') {
      throw this.#error(
        'FLOTILLA_HISTORY_LINE',
        `has no outcome of a call: its type is ${JSON.stringify(values['type'])}`,
      );
    }
    const at = this.#time('at', values['at']);
    if (at < calledAt) {
      throw this.#error('FLOTILLA_HISTORY_TIME', `returns at ${at}, before it was called at ${calledAt}`);
    }
    if (type === 'failed') return { type, at, reason };
    const result = this.#attempt('FLOTILLA_HISTORY_OPERATION', () =>
      this.#format.result(values['result'], operation),
    );
    return { type, at, result };
  }

  #operation(value: unknown): Operation {
    return this.#attempt('FLOTILLA_HISTORY_OPERATION', () => this.#format.operation(value));
  }

  #client({ client }: Values): number {
    if (Number.isSafeInteger(client)) return client as number;
    throw this.#error('FLOTILLA_HISTORY_LINE', 'is not a call of a history: its client is no whole number');
  }

  /** Of one end of a call: its own, or its place in the file. */
  #eventTime({ at }: Values): number {
    this.#hasTimes ??= at !== undefined;
    if (this.#hasTimes !== (at !== undefined)) {
      const what = this.#hasTimes
        ? 'has no time, and earlier ones have'
        : 'has a time, and earlier ones have none';
      throw this.#error('FLOTILLA_HISTORY_TIME', what);
    }
    return at === undefined ? this.#line : this.#time('at', at);
  }

  #time(name: string, value: unknown): number {
    if (typeof value === 'number') return value;
    throw this.#error('FLOTILLA_HISTORY_TIME', `has no time: ${name} must be a number`);
  }

  #attempt<T>(code: HistoryErrorCode, read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw this.#error(code, messageOf(error));
    }
  }

  #error(code: HistoryErrorCode, what: string): HistoryError {
    return new HistoryError(code, what, { line: this.#line });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
