import { expect, it } from 'vitest';
import { HistoryError } from '../history-error.ts';
import { judgeHistory, type JudgedModel, type JudgeOptions } from '../judge.ts';
import { readHistory } from '../ndjson.ts';

const read = (client: number, at?: number): object => ({
  type: 'call',
  client,
  operation: { type: 'read', key: 'x' },
  ...(at === undefined ? {} : { at }),
});
const nothing = (client: number, at?: number): object => ({
  type: 'returned',
  client,
  result: { value: null },
  ...(at === undefined ? {} : { at }),
});

function lines(...values: readonly unknown[]): string {
  return values.map((value) => `${typeof value === 'string' ? value : JSON.stringify(value)}\n`).join('');
}

function refusal(text: string, model: JudgedModel = 'register', options: JudgeOptions = {}): string {
  try {
    judgeHistory(model, text, options);
  } catch (error) {
    if (error instanceof HistoryError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'judged';
}

it('the two ends of a call are lines of their own, in the order of time', () => {
  expect(readHistory(lines(read(1), read(2), nothing(2), nothing(1), read(2)))).toMatchObject([
    { id: 0, client: 1, calledAt: 1, outcome: { type: 'returned', at: 4 } },
    { id: 1, client: 2, calledAt: 2, outcome: { type: 'returned', at: 3 } },
    { id: 2, client: 2, calledAt: 5, outcome: { type: 'unknown' } },
  ]);
});

it('ends with times may stand in any order, and a client goes on after an unknown outcome', () => {
  const gaveUp = { type: 'unknown', client: 1, reason: 'time-out' };
  expect(readHistory(lines(read(1, 9), gaveUp, read(1, 12), nothing(1, 12), read(2, 3)))).toMatchObject([
    { calledAt: 9, outcome: { type: 'unknown', reason: 'time-out' } },
    { calledAt: 12, outcome: { type: 'returned', at: 12 } },
    { client: 2, calledAt: 3 },
  ]);
});

it.each([
  ['a torn line', lines(read(1), '{"type":"retu'), /^FLOTILLA_HISTORY_LINE: line 2 is not JSON: /],
  ['no object', lines('7'), /^FLOTILLA_HISTORY_LINE: line 1 is not a call of a history$/],
  ['another type', lines({ type: 'invoke' }), /^FLOTILLA_HISTORY_LINE: line 1 .*: its type is "invoke"$/],
  [
    'no client',
    lines({ ...read(1), client: 'a' }),
    /^FLOTILLA_HISTORY_LINE: line 1 .*client is no whole number$/,
  ],
  [
    'a number that JSON has rounded',
    lines('{"type":"call","client":9007199254740993}'),
    /^FLOTILLA_HISTORY_LINE: line 1 holds 9007199254740992, which is not exact/,
  ],
  [
    'a return before its call',
    lines(read(1, 5), nothing(1, 4)),
    /^FLOTILLA_HISTORY_TIME: line 2 returns at 4, before it was called at 5$/,
  ],
  ['times on some lines', lines(read(1, 5), nothing(1)), /^FLOTILLA_HISTORY_TIME: line 2 has no time, and/],
  ['no number', lines({ ...read(1), at: 'noon' }), /^FLOTILLA_HISTORY_TIME: line 1 has no time: at must be/],
  [
    'two calls at once',
    lines(read(1), read(1)),
    /^FLOTILLA_HISTORY_OVERLAP: line 2 is a call of client 1, and its call of line 1 is still open$/,
  ],
  [
    'a call before the last one of its client was over',
    lines(read(1, 1), nothing(1, 5), read(1, 4)),
    /^FLOTILLA_HISTORY_OVERLAP: line 3 has client 1 call at 4, and its call of line 1 ends at 5$/,
  ],
  [
    'a return without a call',
    lines(read(1), nothing(2)),
    /^FLOTILLA_HISTORY_UNMATCHED: line 2 ends a call of client 2/,
  ],
  [
    'a second return',
    lines(read(1), nothing(1), nothing(1)),
    /^FLOTILLA_HISTORY_UNMATCHED: line 3 ends a call of client 1, which has none open$/,
  ],
  [
    'an unknown operation',
    lines({ ...read(1), operation: { type: 'get', key: 'x' } }),
    /^FLOTILLA_HISTORY_OPERATION: line 1 has a bad operation\.type: it must be one of read, write, .*, and is "get"$/,
  ],
  [
    'a misspelled field',
    lines({ ...read(1), operation: { type: 'read', kee: 'x' } }),
    /^FLOTILLA_HISTORY_OPERATION: line 1 operation has the unknown field kee$/,
  ],
  [
    'an answer to something else',
    lines(read(1), { ...nothing(1), result: { type: 'write' } }),
    /^FLOTILLA_HISTORY_OPERATION: line 2 answers write to read$/,
  ],
])('%s is told in one line with its number and a code', (_name, text, message) => {
  expect(refusal(text)).toMatch(message);
});

it('whole calls of one client that overlap are refused, unless that is said to be right', () => {
  const call = (calledAt: number, at: number): object => ({
    client: 1,
    operation: { type: 'read', key: 'x' },
    calledAt,
    outcome: { type: 'returned', at, result: { value: null } },
  });
  expect(refusal(lines(call(1, 4), call(3, 5)))).toMatch(/^FLOTILLA_HISTORY_OVERLAP: line 2 /);
  expect(refusal(lines(call(1, 4), call(4, 5)))).toBe('judged');
  expect(refusal(lines(call(1, 4), call(3, 5)), 'register', { overlapping: true })).toBe('judged');
});

it('transactions from which nothing could be told are refused by the line that called them', () => {
  const append = { type: 'call', client: 1, operation: [{ type: 'append', key: 'x', element: 1 }] };
  const second = { ...append, client: 2 };
  expect(refusal(lines(append, second), 'list-append')).toMatch(
    /^FLOTILLA_HISTORY_OPERATION: line 2 is useless: call 1 appends 1 to x, as another append does/,
  );
  const answer = { type: 'returned', client: 1, result: [] };
  expect(refusal(lines(append, answer), 'list-append')).toMatch(
    /^FLOTILLA_HISTORY_OPERATION: line 2 has 1 operations and 0 answers$/,
  );
});
