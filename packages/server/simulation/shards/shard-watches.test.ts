import { noOrigin } from '@flotilla/store';
import type { WatchStream } from '@flotilla/store';
import { CompactionRequest, type RequestOp, TxnRequest, WatchCreateRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { ShardLab } from './shard-lab.ts';

/** A stream with one watch of all keys. */
class Watching {
  readonly told: string[] = [];
  readonly stream: WatchStream;
  created = 0;
  progress = 0;
  ended: number | null = null;

  constructor(lab: ShardLab, index: number, startRevision = 0) {
    this.stream = lab.member(index).database.watches.open({
      send: ({ header, created, canceled, compactRevision, events }) => {
        const revision = header?.revision ?? 0;
        if (created) this.created = revision;
        else if (canceled) this.ended = compactRevision;
        else if (events.length === 0) this.progress = revision;
        const decoder = new TextDecoder();
        for (const { kv } of events) this.told.push(`${kv?.modRevision} ${decoder.decode(kv?.key)}`);
        return true;
      },
    });
    const key = Uint8Array.of(0);
    lab.start(index, async () => {
      this.stream.create(WatchCreateRequest.create({ key, rangeEnd: key, startRevision }));
      await Promise.resolve();
    });
    lab.until('the watch to be made', () => this.created > 0);
  }
}

function put(key: string): RequestOp {
  return { request: { case: 'requestPut', value: { ...emptyPut, key: bytesOf(key), value: bytesOf('v') } } };
}

const emptyPut = {
  key: new Uint8Array(0),
  value: new Uint8Array(0),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};

/** One transaction, in this order. */
function putAll(lab: ShardLab, index: number, keys: readonly string[]): number {
  const request = TxnRequest.encode(TxnRequest.create({ success: keys.map(put) }));
  const { header } = lab.act(index, ({ backend }) => backend.write('txn', request, noOrigin));
  return header?.revision ?? 0;
}

test('watches that are open when a cluster is sharded go on, whatever becomes of its shards', () =>
  ShardLab.run({ members: 4 }, (lab) => {
    const wanted: string[] = [];
    const write = (index: number, ...keys: string[]): void => {
      const revision = putAll(lab, index, keys);
      for (const key of keys) wanted.push(`${revision} ${key}`);
    };
    write(0, 'a', 'x');
    const first = lab.put('b', 'v');
    wanted.push(`${first} b`);
    const open = [0, 1, 2, 3].map((index) => new Watching(lab, index, 2));
    lab.begin();
    write(1, 'x', 'c', 'm');
    const left = lab.split('g');
    lab.led(left);
    write(2, 'x', 'a', 'm', 'b');
    const right = lab.split('p');
    lab.led(right);
    for (let i = 0; i < 4; i += 1) write(i, 'z', 'h', 'a', `k${i}`);
    // The first member has nothing of it any more, and is told from elsewhere.
    lab.assign(right, [2, 3, 4]);
    write(0, 'q', 'd', 'h');
    lab.change({ kind: 'merge', shard: right, into: left });
    write(1, 'q', 'd', 'h');
    const late = new Watching(lab, 1, 2);
    const now = new Watching(lab, 2);
    write(3, 'y', 'a');
    const last = wanted.slice(-2);
    for (const watching of [...open, late]) {
      lab.until('all to be told', () => watching.told.length >= wanted.length);
      expect(watching.told).toEqual(wanted);
    }
    expect(now.told).toEqual(last);
    for (const { stream } of [...open, late, now]) stream.requestProgress();
    const newest = Number.parseInt(last[0] as string, 10);
    lab.until('progress', () => [...open, late, now].every(({ progress }) => progress === newest));
  }));

test('a compaction at the newest revision ends no watch that has everything, and every one that has not', () =>
  ShardLab.run({ members: 3 }, (lab) => {
    lab.begin();
    const shard = lab.split('g');
    lab.led(shard);
    const watching = [0, 1, 2].map((index) => new Watching(lab, index));
    const wanted: string[] = [];
    for (let i = 0; i < 5; i += 1) {
      const revision = putAll(lab, i % 3, ['a', 'x']);
      wanted.push(`${revision} a`, `${revision} x`);
      const request = CompactionRequest.encode(CompactionRequest.create({ revision }));
      lab.act((i + 1) % 3, ({ backend }) => backend.write('compact', request, noOrigin));
    }
    lab.pass(1_000);
    const compacted = Number.parseInt(wanted.at(-1) as string, 10);
    for (const { told, ended } of watching) expect([told, ended]).toEqual([wanted, null]);
    const late = new Watching(lab, 1, compacted - 1);
    lab.until('it to be cancelled', () => late.ended !== null);
    expect(late.ended).toBe(compacted);
  }));
