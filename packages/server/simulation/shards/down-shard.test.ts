import { noOrigin } from '@flotilla/store';
import {
  AlarmAction,
  AlarmRequest,
  AlarmType,
  CompactionRequest,
  etcdErrors,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { ShardLab } from './shard-lab.ts';

/** Puts a key, and reads another as it was. */
function readingWrite(key: string, past: string, revision: number): Uint8Array {
  const put = PutRequest.create({ key: bytesOf(key), value: bytesOf('late') });
  const range = RangeRequest.create({ key: bytesOf(past), revision });
  return TxnRequest.encode(
    TxnRequest.create({
      success: [
        { request: { case: 'requestPut', value: put } },
        { request: { case: 'requestRange', value: range } },
      ],
    }),
  );
}

test('a shard that is down holds up neither compaction nor alarms, and reads nothing that is compacted later', () =>
  ShardLab.run({ members: 5 }, (lab) => {
    lab.begin();
    const shard = lab.split('m');
    lab.led(shard);
    expect(lab.order().map.row(shard)?.nodes).toEqual([1, 2, 3]);
    const first = lab.put('x', 'first');
    lab.put('x', 'second');
    const last = lab.put('a', 'third');
    lab.nodes[1]?.crash();
    lab.nodes[2]?.crash();
    lab.until('a leader', () => lab.leader >= 0);
    const compaction = CompactionRequest.encode(CompactionRequest.create({ revision: last }));
    const startMs = lab.world.now;
    lab.act(3, ({ backend }) => backend.write('compact', compaction, noOrigin));
    for (const action of [AlarmAction.ACTIVATE, AlarmAction.DEACTIVATE]) {
      const request = AlarmRequest.encode({ action, memberId: 7n, alarm: AlarmType.NOSPACE });
      lab.act(4, ({ backend }) => backend.write('alarm', request, noOrigin));
    }
    expect(lab.world.now - startMs).toBeLessThan(6_000);
    expect(lab.put('a', 'goes on', 4)).toBe(last + 1);
    // Asked while the shard has not heard of any of it.
    const late = lab.start(3, ({ backend }) => backend.write('txn', readingWrite('x', 'x', first), noOrigin));
    lab.nodes[1]?.start();
    lab.until('an answer', () => late.result !== undefined || late.error !== undefined);
    expect(late.error).toEqual(etcdErrors.compacted);
    lab.nodes[2]?.start();
    lab.converge();
    expect(lab.get('x', 4)).toBe('second');
  }));
