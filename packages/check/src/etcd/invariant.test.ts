import { expect, test } from 'vitest';
import { checkInvariant, type Invariant } from './invariant.ts';
import { prefixEnd, put, range } from './requests.ts';
import type { EtcdCall, EtcdRequest, EtcdResponse, KeyValue, TxnOperation, TxnResult } from './requests.ts';

const accounts = { key: 'a/', rangeEnd: prefixEnd('a/') };
const others = { key: 'z', rangeEnd: '' };

const total: Invariant = {
  name: 'bank/total',
  ranges: [accounts, others],
  broken(keys) {
    const sum = [...keys.values()].reduce((all, { value }) => all + Number(value), 0);
    return sum === 10 ? null : `the total is ${sum}`;
  },
};

function kv(key: string, value: string): KeyValue {
  return { key, value, createRevision: 2, modRevision: 2, version: 1, lease: 0n };
}

function shows(...kvs: readonly KeyValue[]): TxnResult {
  return { type: 'range', kvs, count: kvs.length, more: false };
}

function call(success: readonly TxnOperation[], responses: readonly TxnResult[]): EtcdCall {
  const operation: EtcdRequest = { type: 'txn', compare: [], success, failure: [] };
  const result: EtcdResponse = { type: 'txn', succeeded: true, responses, revision: 5 };
  return { id: 3, client: 0, operation, calledAt: 0, outcome: { type: 'returned', at: 1, result } };
}

const everything = [range('a/', { rangeEnd: prefixEnd('a/') }), range('z')];

test('an answer that shows everything is judged', () => {
  const fine = call(everything, [shows(kv('a/1', '4'), kv('a/2', '5')), shows(kv('z', '1'))]);
  expect(checkInvariant([fine], total)).toEqual({ verdict: { outcome: 'ok' }, answers: 1 });
  const wrong = call(everything, [shows(kv('a/1', '4'), kv('a/2', '6')), shows(kv('z', '1'))]);
  expect(checkInvariant([wrong], total).verdict).toMatchObject({
    outcome: 'illegal',
    violations: [
      { rule: 'bank/total', message: expect.stringContaining('the total is 11') as string, calls: [3] },
    ],
  });
});

test('a wider range shows more than it must, and only what must be counts', () => {
  const wide = call([range('\0', { rangeEnd: '\0' })], [shows(kv('a/1', '9'), kv('m', '7'), kv('z', '1'))]);
  expect(checkInvariant([wide], total)).toEqual({ verdict: { outcome: 'ok' }, answers: 1 });
});

test('what shows a part, an old state or something half done is not judged', () => {
  const rows = [
    call([range('z')], [shows()]),
    call([range('a/', { rangeEnd: 'a/2' }), range('z')], [shows(), shows()]),
    call([range('\0', { rangeEnd: '\0', limit: 1 })], [shows()]),
    call([range('\0', { rangeEnd: '\0', revision: 3 })], [shows()]),
    call([...everything, put('z', '0')], [shows(), shows(), { type: 'put', prevKv: null }]),
  ];
  expect(checkInvariant(rows, total)).toEqual({ verdict: { outcome: 'ok' }, answers: 0 });
});

test('every revision is judged after all of its events', () => {
  const both = [
    { type: 'put', kv: kv('a/1', '6') },
    { type: 'put', kv: kv('z', '4') },
  ] as const;
  const unrelated = { type: 'put', kv: kv('b', '4') } as const;
  const whole = [
    { revision: 2, events: both },
    { revision: 3, events: [unrelated] },
  ];
  expect(checkInvariant([], total, whole).verdict).toEqual({ outcome: 'ok' });
  const torn = both.map((event, at) => ({ revision: 2 + at, events: [event] }));
  expect(checkInvariant([], total, torn).verdict).toMatchObject({
    outcome: 'illegal',
    violations: [{ message: 'after revision 2 the total is 6' }],
  });
  const gone = [...whole, { revision: 4, events: [{ type: 'delete', key: 'z', modRevision: 4 }] as const }];
  expect(checkInvariant([], total, gone).verdict).toMatchObject({
    outcome: 'illegal',
    violations: [{ message: 'after revision 4 the total is 6' }],
  });
});
