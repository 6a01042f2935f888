import { put, range } from '@flotilla/check';
import type { Compare, EtcdCall, KeyValue, TxnOperation, TxnResult, Verdict } from '@flotilla/check';
import { expect, test } from 'vitest';
import { bank } from './bank.ts';
import { listAppend } from './list-append.ts';
import { keyLists, valueLists } from './lists.ts';
import { longFork } from './long-fork.ts';
import { phantom } from './phantom.ts';
import { registers } from './registers.ts';
import type { Workload } from './workload.ts';
import { writeSkew } from './write-skew.ts';

// Histories that no serializable store can have, each with what its judge must say. All calls are open at once.

interface Parts {
  readonly compare?: readonly Compare[];
  readonly success: readonly TxnOperation[];
  /** Null: it was lost. */
  readonly answers: readonly TxnResult[] | null;
  /** Of the header: what it wrote, or the latest. */
  readonly revision: number;
}

function history(...rows: readonly Parts[]): EtcdCall[] {
  return rows.map(({ compare = [], success, answers, revision }, id) => {
    const operation = { type: 'txn', compare, success, failure: [] } as const;
    const call = { id, client: id, operation, calledAt: 0 };
    if (answers === null) return { ...call, outcome: { type: 'unknown', reason: 'lost' } };
    const result = { type: 'txn', succeeded: true, responses: answers, revision } as const;
    return { ...call, outcome: { type: 'returned', at: 9, result } };
  });
}

function kv(key: string, value: string, modRevision: number): KeyValue {
  return { key, value, createRevision: modRevision, modRevision, version: 1, lease: 0n };
}

function shows(...kvs: readonly KeyValue[]): TxnResult {
  return { type: 'range', kvs, count: kvs.length, more: false };
}

const done: TxnResult = { type: 'put', prevKv: null };

function at(key: string, value: number): Compare {
  return { key, rangeEnd: '', result: 'equal', target: { type: 'mod', value } };
}

function rulesOf(workload: Workload, calls: readonly EtcdCall[]): readonly string[] {
  const verdicts: Verdict[] = [...workload.judge({ calls, revisions: [] }).values()];
  return verdicts.flatMap((verdict) =>
    verdict.outcome === 'illegal' ? verdict.violations.map(({ rule }) => rule) : [],
  );
}

test('bank: a payment that was taken and has not come, and a debt', () => {
  const [opening] = bank.beginning;
  const keys =
    opening?.type === 'txn' ? opening.success.flatMap((each) => (each.type === 'put' ? each : [])) : [];
  const audit = (balances: readonly number[]): Parts => ({
    success: keys.map(({ key }) => range(key)),
    answers: keys.map(({ key, value }, i) => shows(kv(key, i === 0 ? value : String(balances[i - 1]), 2))),
    revision: 9,
  });
  const fair = keys.slice(1).map(({ value }) => Number(value));
  expect(rulesOf(bank, history(audit(fair)))).toEqual([]);
  const [first = 0, second = 0, ...rest] = fair;
  expect(rulesOf(bank, history(audit([first + 3, second - 3, ...rest])))).toEqual([]);
  expect(rulesOf(bank, history(audit([first - 3, second, ...rest])))).toEqual(['bank/total']);
  expect(rulesOf(bank, history(audit([-1, first + second + 1, ...rest])))).toEqual(['bank/total']);
});

test('list-append: two appends that replace the same value, and lists in which a transaction is half', () => {
  const [list = '', other = ''] = valueLists;
  const both = { compare: [at(list, 0)], answers: [done] };
  const lost = history(
    { ...both, success: [put(list, '1')], revision: 2 },
    { ...both, success: [put(list, '2')], revision: 3 },
  );
  expect(rulesOf(listAppend, lost)).toEqual(['list-append/G2-item']);
  const [keys = ''] = keyLists;
  const torn = history(
    { success: [put(`${keys}7`, '7'), put(other, '8')], answers: [done, done], revision: 2 },
    { success: [range(keys), range(other)], answers: [shows(kv(`${keys}7`, '7', 2)), shows()], revision: 2 },
  );
  expect(rulesOf(listAppend, torn)).toEqual(['list-append/G-single']);
});

test('long fork: two readers who saw two writes in different orders', () => {
  const write = (key: string, revision: number): Parts => ({
    success: [put(key, 'v')],
    answers: [done],
    revision,
  });
  const read = (...found: readonly TxnResult[]): Parts => ({
    success: [range('x'), range('y')],
    answers: found,
    revision: 3,
  });
  const [x, y] = [shows(kv('x', 'v', 2)), shows(kv('y', 'v', 3))];
  const writes = [write('x', 2), write('y', 3)];
  expect(rulesOf(longFork, history(...writes, read(x, shows()), read(x, y)))).toEqual([]);
  expect(rulesOf(longFork, history(...writes, read(x, shows()), read(shows(), y)))).toEqual([
    'registers/G2-item',
  ]);
});

test('write skew: two who each compared the other', () => {
  const leave = (own: string, other: string, revision: number): Parts => ({
    compare: [at(other, 0)],
    success: [put(own, 'away')],
    answers: [done],
    revision,
  });
  const skew = history(leave('a/duty/0', 'n/duty/0', 2), leave('n/duty/0', 'a/duty/0', 3));
  expect(rulesOf(writeSkew, skew)).toEqual(['registers/G2-item']);
  const away = ['a/duty/0', 'n/duty/0'];
  const seen = history({
    success: away.map((key) => range(key)),
    answers: away.map((key, i) => shows(kv(key, 'away', 2 + i))),
    revision: 3,
  });
  expect(rulesOf(writeSkew, seen)).toContain('write-skew/nobody-on-duty');
});

test('phantom: two who each found the range without what the other put there', () => {
  const take = (seat: string, revision: number): Parts => ({
    compare: [{ key: 'b', rangeEnd: 'i', result: 'less', target: { type: 'mod', value: 2 } }],
    success: [range('b', { rangeEnd: 'i' }), put(seat, 'taken')],
    answers: [shows(), done],
    revision,
  });
  expect(rulesOf(phantom, history(take('b/seat/1', 2), take('e/seat/2', 3)))).toEqual(['registers/G2']);
  const seats = ['b/seat/1', 'e/seat/2', 'h/seat/3'].map((key, i) => kv(key, 'taken 1', 2 + i));
  const full = history({ success: [range('b', { rangeEnd: 'i' })], answers: [shows(...seats)], revision: 4 });
  expect(rulesOf(phantom, full)).toContain('phantom/too-many');
});

test('registers: a nested transaction whose answer was lost counts only where somebody saw it', () => {
  const nested = (key: string): TxnOperation => ({
    type: 'txn',
    compare: [at('x', 2)],
    success: [put(key, 'inner')],
    failure: [],
  });
  const rows = [
    { success: [put('x', 'a')], answers: [done], revision: 2 },
    { compare: [at('x', 2)], success: [put('x', 'b')], answers: [done], revision: 3 },
    { success: [put('z', 'outer'), nested('y')], answers: null, revision: 0 },
  ];
  const read = (...found: readonly TxnResult[]): Parts => ({
    success: [range('x'), range('z'), range('y')],
    answers: found,
    revision: 4,
  });
  const [x, z, y] = [kv('x', 'b', 3), kv('z', 'outer', 4), kv('y', 'inner', 4)].map((each) => shows(each));
  expect(rulesOf(registers, history(...rows, read(x!, z!, shows())))).toEqual([]);
  // It cannot have found x at 2 after somebody replaced that, and come after it.
  expect(rulesOf(registers, history(...rows, read(x!, shows(), shows()), read(x!, z!, y!)))).toEqual([
    'registers/G2-item',
  ]);
});
