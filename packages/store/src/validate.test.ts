import { PutRequest, RangeRequest, TxnRequest, etcdErrors } from '@flotilla/wire';
import type { RequestOp } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { toBytes } from '../test/model.ts';
import { checkDeleteRangeRequest, checkPutRequest, checkRangeRequest, checkTxnRequest } from './validate.ts';

const key = toBytes('k');
const empty = toBytes('');

const put = (name: string): RequestOp => ({
  request: { case: 'requestPut', value: PutRequest.create({ key: toBytes(name) }) },
});
const keep = (name: string): RequestOp => ({
  request: { case: 'requestPut', value: PutRequest.create({ key: toBytes(name), ignoreLease: true }) },
});
const remove = (from: string, to = ''): RequestOp => ({
  request: {
    case: 'requestDeleteRange',
    value: { key: toBytes(from), rangeEnd: toBytes(to), prevKv: false },
  },
});
const get = (name: string): RequestOp => ({
  request: { case: 'requestRange', value: RangeRequest.create({ key: toBytes(name) }) },
});
const nested = (success: RequestOp[], failure: RequestOp[] = []): RequestOp => ({
  request: { case: 'requestTxn', value: TxnRequest.create({ success, failure }) },
});
const checkTxn = (success: RequestOp[], failure: RequestOp[] = [], limit = 128): (() => void) => {
  return () => checkTxnRequest(TxnRequest.create({ success, failure }), limit);
};

describe('a request alone', () => {
  test('needs a key', () => {
    expect(() => checkRangeRequest(RangeRequest.create())).toThrow(etcdErrors.emptyKey);
    expect(() => checkPutRequest(PutRequest.create({ value: key }))).toThrow(etcdErrors.emptyKey);
    expect(() => checkDeleteRangeRequest({ key: empty, rangeEnd: key, prevKv: false })).toThrow(
      etcdErrors.emptyKey,
    );
  });

  test('has a sort order and a sort target that exist', () => {
    expect(() => checkRangeRequest(RangeRequest.create({ key, sortOrder: 3 }))).toThrow(
      etcdErrors.invalidSortOption,
    );
    expect(() => checkRangeRequest(RangeRequest.create({ key, sortTarget: -1 }))).toThrow(
      etcdErrors.invalidSortOption,
    );
    expect(() => checkRangeRequest(RangeRequest.create({ key, sortOrder: 2, sortTarget: 4 }))).not.toThrow();
  });

  test('ignores a value or a lease only when it gives none', () => {
    expect(() => checkPutRequest(PutRequest.create({ key, ignoreValue: true, value: key }))).toThrow(
      etcdErrors.valueProvided,
    );
    expect(() => checkPutRequest(PutRequest.create({ key, ignoreLease: true, lease: 1n }))).toThrow(
      etcdErrors.leaseProvided,
    );
    expect(() => checkPutRequest(PutRequest.create({ key, ignoreLease: true, value: key }))).not.toThrow();
  });
});

describe('a transaction', () => {
  test('has at most as many operations as allowed, nested ones from what is left', () => {
    const three = [get('a'), get('b'), get('c')];
    expect(checkTxn(three, [], 3)).not.toThrow();
    expect(checkTxn(three, [], 2)).toThrow(etcdErrors.tooManyOperations);
    expect(checkTxn([], three, 2)).toThrow(etcdErrors.tooManyOperations);
    expect(checkTxn([nested(three)], [], 4)).not.toThrow();
    expect(checkTxn([nested(three)], [], 3)).toThrow(etcdErrors.tooManyOperations);
    expect(checkTxn([nested([]), nested(three)], [], 4)).toThrow(etcdErrors.tooManyOperations);
  });

  test('has keys in its compares and in all its operations', () => {
    const compare = { result: 0, target: 0, key: empty, targetUnion: null, rangeEnd: empty };
    expect(() => checkTxnRequest(TxnRequest.create({ compare: [compare] }), 128)).toThrow(
      etcdErrors.emptyKey,
    );
    expect(checkTxn([], [nested([], [put('')])])).toThrow(etcdErrors.emptyKey);
  });

  test('has no operation that is none', () => {
    expect(checkTxn([{ request: null }])).toThrow(etcdErrors.keyNotFound);
  });

  const refused: [string, RequestOp[]][] = [
    ['puts a key twice', [put('a'), put('a')]],
    ['puts and deletes a key', [put('a'), remove('a')]],
    ['deletes a range around a put', [remove('a', 'c'), put('b')]],
    ['deletes from a key on what a put keeps a part of', [remove('a', '\0'), keep('z')]],
    ['deletes from a key on what a nested put keeps a part of', [remove('a', '\0'), nested([keep('z')])]],
    ['puts above what a nested one puts', [nested([put('a')]), put('a')]],
    ['puts in two nested ones', [nested([put('a')]), nested([], [put('a')])]],
    ['puts above what a nested one deletes', [nested([], [remove('a')]), put('a')]],
    ['deletes above what a nested one puts', [nested([], [put('a')]), remove('a', 'b')]],
    ['deletes in a nested one what a later one puts', [nested([remove('a')]), nested([put('a')])]],
    ['puts twice deep down', [nested([nested([put('a')]), put('a')])]],
  ];
  for (const [what, operations] of refused) {
    test(`is refused when it ${what}`, () => {
      expect(checkTxn(operations)).toThrow(etcdErrors.duplicateKey);
      expect(checkTxn([], operations)).toThrow(etcdErrors.duplicateKey);
    });
  }

  const accepted: [string, RequestOp[], RequestOp[]][] = [
    ['puts a key in both branches', [put('a')], [put('a')]],
    ['puts a key in both branches of a nested one', [nested([put('a')], [put('a')])], []],
    ['deletes beside a put', [remove('a', 'b'), put('b')], []],
    // etcd takes the end for a key, which comes before all others.
    ['deletes from a key on', [remove('a', '\0'), put('z'), nested([put('b')])], []],
    ['deletes nothing by an inverted range', [remove('c', 'a'), put('b')], []],
    ['deletes a key twice', [remove('a'), remove('a', 'b')], []],
    // etcd's own gap: sibling transactions are compared in one direction only.
    ['deletes in a nested one what an earlier one put', [nested([put('a')]), nested([remove('a')])], []],
  ];
  for (const [what, success, failure] of accepted) {
    test(`is accepted when it ${what}`, () => {
      expect(checkTxn(success, failure)).not.toThrow();
    });
  }
});
