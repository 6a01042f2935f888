import { describe, expect, it } from 'vitest';
import { checkLinearizability } from '../linearizability.ts';
import { etcdKeyModel } from '../models/etcd-key.ts';
import { perKeyCalls } from './per-key.ts';
import { deleteRange, put, range, type EtcdCall, type EtcdRequest, type EtcdResponse } from './requests.ts';

function calls(...lines: readonly (readonly [EtcdRequest, EtcdResponse])[]): EtcdCall[] {
  return lines.map(([operation, result], id) => ({
    id,
    client: 1,
    operation,
    calledAt: 2 * id,
    outcome: { type: 'returned', at: 2 * id + 1, result },
  }));
}

const guarded: EtcdRequest = {
  type: 'txn',
  compare: [{ key: 'a', rangeEnd: '', result: 'equal', target: { type: 'mod', value: 2 } }],
  success: [put('a', '2')],
  failure: [range('a')],
};
const won: EtcdResponse = {
  type: 'txn',
  revision: 3,
  succeeded: true,
  responses: [{ type: 'put', prevKv: null }],
};
const kv = { key: 'a', value: '2', createRevision: 2, modRevision: 3, version: 2, lease: 0n };

describe('calls about one key', () => {
  it('are judged without the order of revisions', () => {
    const history = calls(
      [put('a', '1'), { type: 'put', revision: 2, prevKv: null }],
      [guarded, won],
      [range('a'), { type: 'range', revision: 3, kvs: [kv], count: 1, more: false }],
      [deleteRange('a'), { type: 'delete-range', revision: 4, deleted: 1, prevKvs: [] }],
    );
    expect(perKeyCalls(history)).toHaveLength(4);
    expect(checkLinearizability(etcdKeyModel, perKeyCalls(history)).verdict.outcome).toBe('ok');
    const stale = [...history, { ...history[2]!, id: 4, calledAt: 20 }].map((call) =>
      call.id === 4 ? { ...call, outcome: { ...call.outcome, at: 21 } as EtcdCall['outcome'] } : call,
    );
    expect(checkLinearizability(etcdKeyModel, perKeyCalls(stale)).verdict.outcome).toBe('illegal');
  });

  it('leave out keys that wider requests write', () => {
    const wide = deleteRange('a', { rangeEnd: 'b' });
    const history = calls(
      [put('a', '1'), { type: 'put', revision: 2, prevKv: null }],
      [put('c', '1'), { type: 'put', revision: 3, prevKv: null }],
      [wide, { type: 'delete-range', revision: 4, deleted: 1, prevKvs: [] }],
    );
    expect(perKeyCalls(history).map((call) => call.operation.key)).toEqual(['c']);
  });
});
