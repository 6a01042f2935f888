import { describe, expect, it } from 'vitest';
import type { Call } from './history.ts';
import { checkLinearizability } from './linearizability.ts';
import { etcdKeyModel, type EtcdKeyOperation, type EtcdKeyResult } from './models/etcd-key.ts';
import { keyValueModel, type KeyValueOperation, type KeyValueResult } from './models/key-value.ts';
import { registerModel, type RegisterOperation, type RegisterResult } from './models/register.ts';
import { assertOk, describeVerdict } from './violation.ts';

/** `[called, returned]`: no return is an unknown outcome. */
type Line<Operation, Result> = readonly [
  called: number,
  returned: number | null,
  operation: Operation,
  result?: Result,
];

function calls<Operation, Result>(lines: readonly Line<Operation, Result>[]): Call<Operation, Result>[] {
  return lines.map(([calledAt, at, operation, result], id) => ({
    id,
    client: id,
    operation,
    calledAt,
    outcome:
      at === null || result === undefined
        ? { type: 'unknown', reason: 'no answer' }
        : { type: 'returned', at, result },
  }));
}

function register(...lines: Line<RegisterOperation, RegisterResult>[]): string {
  return checkLinearizability(registerModel, calls(lines)).verdict.outcome;
}

const write = (value: string, key = 'k'): RegisterOperation => ({ type: 'write', key, value });
const read: RegisterOperation = { type: 'read', key: 'k' };
const done: RegisterResult = { type: 'write' };
const saw = (value: string | null): RegisterResult => ({ type: 'read', value });

describe('registers', () => {
  it('accept the empty history', () => {
    expect(register()).toBe('ok');
  });

  it('accept concurrent reads of the old and the new value, in that order', () => {
    expect(register([0, 9, write('a'), done], [1, 2, read, saw(null)], [3, 4, read, saw('a')])).toBe('ok');
  });

  it('refuse the old value after the new one was read', () => {
    expect(register([0, 9, write('a'), done], [1, 2, read, saw('a')], [3, 4, read, saw(null)])).toBe(
      'illegal',
    );
  });

  it('refuse a stale read', () => {
    expect(register([0, 1, write('a'), done], [2, 3, read, saw(null)])).toBe('illegal');
  });

  it('refuse a lost update', () => {
    const lines = [
      [0, 1, write('a'), done],
      [2, 3, write('b'), done],
      [4, 5, read, saw('a')],
    ] as const;
    expect(register(...lines)).toBe('illegal');
  });

  it('refuse a phantom', () => {
    expect(register([0, 1, read, saw('never written')])).toBe('illegal');
  });

  it('take touching calls for concurrent', () => {
    expect(register([0, 2, write('a'), done], [2, 3, read, saw(null)])).toBe('ok');
  });

  it('let a lost write take effect late, early or never', () => {
    expect(register([0, null, write('a')], [1, 2, read, saw(null)], [3, 4, read, saw('a')])).toBe('ok');
    expect(register([0, null, write('a')], [1, 2, read, saw('a')])).toBe('ok');
    expect(register([0, null, write('a')], [1, 2, read, saw(null)])).toBe('ok');
  });

  it('refuse a lost write that takes effect twice, or before it was made', () => {
    const twice = [
      [0, null, write('a')],
      [1, 2, read, saw('a')],
      [3, 4, write('b'), done],
      [5, 6, read, saw('a')],
    ] as const;
    expect(register(...twice)).toBe('illegal');
    expect(register([5, null, write('a')], [1, 2, read, saw('a')])).toBe('illegal');
  });

  it('refuse two swaps from one value', () => {
    const swap = (to: string): RegisterOperation => ({ type: 'compare-and-swap', key: 'k', from: 'a', to });
    const won: RegisterResult = { type: 'compare-and-swap', swapped: true };
    const lost: RegisterResult = { type: 'compare-and-swap', swapped: false };
    const start = [0, 1, write('a'), done] as const;
    expect(register(start, [2, 5, swap('b'), won], [3, 4, swap('c'), won])).toBe('illegal');
    expect(register(start, [2, 5, swap('b'), won], [3, 4, swap('c'), lost])).toBe('ok');
  });

  it('are checked key by key', () => {
    const lines = [
      [0, 1, write('a', 'x'), done],
      [2, 3, { type: 'read', key: 'y' }, saw(null)],
    ] as const;
    expect(register(...lines)).toBe('ok');
  });
});

describe('a report', () => {
  it('names the longest prefix and the call that has no place', () => {
    const history = calls<RegisterOperation, RegisterResult>([
      [0, 1, write('a'), done],
      [2, 3, read, saw('a')],
      [4, 5, write('b'), done],
      [6, 7, read, saw('a')],
      [8, 9, read, saw('b')],
    ]);
    const { failures, verdict } = checkLinearizability(registerModel, history);
    expect(failures).toEqual([{ partition: 'k', prefix: [0, 1, 2], state: 'b', misfit: 3 }]);
    expect(describeVerdict(verdict)).toContain('call 3 by client 3 [6, 7] read -> "a" has no place');
  });

  it('says unknown when the budget runs out, and that counts as a failure', () => {
    const history = calls<RegisterOperation, RegisterResult>([
      [0, 9, write('a'), done],
      [0, 9, write('b'), done],
      [0, 9, read, saw('a')],
    ]);
    for (const options of [{ maxSteps: 2 }, { maxConfigurations: 1 }]) {
      const { verdict } = checkLinearizability(registerModel, history, options);
      expect(verdict.outcome).toBe('unknown');
      expect(() => assertOk(verdict)).toThrow('counts as a failure');
    }
    assertOk(checkLinearizability(registerModel, history).verdict);
  });

  it('stays affordable with many lost writes', () => {
    const lines: Line<RegisterOperation, RegisterResult>[] = [];
    for (let i = 0; i < 100; i += 1) {
      lines.push([3 * i, null, write(`lost ${i}`)], [3 * i + 1, 3 * i + 2, write(`${i}`), done]);
    }
    lines.push([700, 701, read, saw('lost 3')], [702, 703, read, saw('lost 80')]);
    const { verdict, steps } = checkLinearizability(registerModel, calls(lines));
    assertOk(verdict);
    expect(steps).toBeLessThan(100_000);
    const wrong = checkLinearizability(registerModel, calls([...lines, [704, 705, read, saw('lost 80x')]]));
    expect(wrong.verdict.outcome).toBe('illegal');
  });
});

describe('keys with versions', () => {
  const keyValue = (...lines: Line<KeyValueOperation, KeyValueResult>[]): string =>
    checkLinearizability(keyValueModel, calls(lines)).verdict.outcome;
  const put = (value: string, version: number): KeyValueOperation => ({
    type: 'versioned-put',
    key: 'k',
    value,
    version,
  });
  const status = (answer: 'ok' | 'version-mismatch' | 'no-key'): KeyValueResult => ({
    type: 'versioned-put',
    status: answer,
  });
  const get: KeyValueOperation = { type: 'get', key: 'k' };

  it('are written only at their version', () => {
    expect(keyValue([0, 1, put('a', 0), status('ok')], [2, 3, put('b', 1), status('ok')])).toBe('ok');
    expect(keyValue([0, 1, put('a', 1), status('no-key')])).toBe('ok');
    expect(keyValue([0, 1, put('a', 0), status('ok')], [2, 3, put('b', 0), status('ok')])).toBe('illegal');
    const mismatch = [2, 3, put('b', 0), status('version-mismatch')] as const;
    expect(keyValue([0, 1, put('a', 0), status('ok')], mismatch)).toBe('ok');
  });

  it('tell a wrong version from a right value', () => {
    const got = (version: number): KeyValueResult => ({ type: 'get', value: 'a', version });
    expect(keyValue([0, 1, put('a', 0), status('ok')], [2, 3, get, got(1)])).toBe('ok');
    expect(keyValue([0, 1, put('a', 0), status('ok')], [2, 3, get, got(2)])).toBe('illegal');
  });

  it('start again after a delete', () => {
    const lines: Line<KeyValueOperation, KeyValueResult>[] = [
      [0, 1, { type: 'append', key: 'k', value: 'a' }, { type: 'append' }],
      [2, 3, { type: 'append', key: 'k', value: 'b' }, { type: 'append' }],
      [4, 5, get, { type: 'get', value: 'ab', version: 2 }],
      [6, 7, { type: 'delete', key: 'k' }, { type: 'delete', deleted: true }],
      [8, 9, get, { type: 'get', value: null, version: 0 }],
      [10, 11, { type: 'put', key: 'k', value: 'c' }, { type: 'put' }],
      [12, 13, get, { type: 'get', value: 'c', version: 1 }],
    ];
    expect(keyValue(...lines)).toBe('ok');
    expect(keyValue(...lines.slice(0, 4), [8, 9, get, { type: 'get', value: 'ab', version: 2 }])).toBe(
      'illegal',
    );
  });
});

describe("etcd's keys", () => {
  const etcdKey = (...lines: Line<EtcdKeyOperation, EtcdKeyResult>[]): string =>
    checkLinearizability(etcdKeyModel, calls(lines)).verdict.outcome;
  const put = (value: string): EtcdKeyOperation => ({ type: 'put', key: 'k', value });
  const at = (revision: number): EtcdKeyResult => ({ type: 'put', revision });
  const get: EtcdKeyOperation = { type: 'get', key: 'k' };
  const found = (revision: number, value: string, version: number, modRevision: number): EtcdKeyResult => ({
    type: 'get',
    revision,
    found: { value, version, modRevision },
  });

  it('have the revision that wrote them', () => {
    expect(etcdKey([0, 1, put('a'), at(2)], [2, 3, get, found(5, 'a', 1, 2)])).toBe('ok');
    expect(etcdKey([0, 1, put('a'), at(2)], [2, 3, get, found(5, 'a', 1, 3)])).toBe('illegal');
    expect(etcdKey([0, 1, put('a'), at(2)], [2, 3, get, found(5, 'a', 2, 2)])).toBe('illegal');
  });

  it('never go back in revisions', () => {
    expect(etcdKey([0, 1, put('a'), at(3)], [2, 3, put('b'), at(2)])).toBe('illegal');
    expect(etcdKey([0, 1, put('a'), at(3)], [2, 3, put('b'), at(3)])).toBe('illegal');
  });

  it('take the revision of a lost write from the first answer that shows it', () => {
    const lost = [0, null, put('a')] as const;
    expect(etcdKey(lost, [2, 3, get, found(5, 'a', 1, 4)], [4, 5, get, found(6, 'a', 1, 4)])).toBe('ok');
    expect(etcdKey(lost, [2, 3, get, found(5, 'a', 1, 4)], [4, 5, get, found(6, 'a', 1, 5)])).toBe('illegal');
  });

  it('let a lost guarded put hold on the revision of a lost write', () => {
    const guarded: EtcdKeyOperation = { type: 'guarded-put', key: 'k', value: 'b', modRevision: 4 };
    // Whoever guards on revision 4 has learned of it by a read of many keys, which is not part of this history.
    expect(etcdKey([0, null, put('a')], [1, null, guarded], [2, 3, get, found(5, 'b', 2, 5)])).toBe('ok');
    expect(etcdKey([0, null, put('a')], [1, null, guarded], [2, 3, get, found(5, 'b', 1, 5)])).toBe(
      'illegal',
    );
  });

  it('hold a guarded put to its guard', () => {
    const guarded = (modRevision: number): EtcdKeyOperation => ({
      type: 'guarded-put',
      key: 'k',
      value: 'b',
      modRevision,
    });
    const won: EtcdKeyResult = { type: 'guarded-put', revision: 3, succeeded: true };
    const start = [0, 1, put('a'), at(2)] as const;
    expect(etcdKey(start, [2, 3, guarded(2), won])).toBe('ok');
    expect(etcdKey(start, [2, 3, guarded(0), won])).toBe('illegal');
    const refused: EtcdKeyResult = {
      type: 'guarded-put',
      revision: 2,
      succeeded: false,
      found: { value: 'a', version: 1, modRevision: 2 },
    };
    expect(etcdKey(start, [2, 3, guarded(0), refused])).toBe('ok');
    expect(etcdKey(start, [2, 3, guarded(2), refused])).toBe('illegal');
  });
});
