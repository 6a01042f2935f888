import type { RangeChange } from '@flotilla/store';
import { expect, test } from 'vitest';
import { encodeMessage, paths } from '../../src/shards/node-messages.ts';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { ShardLab } from './shard-lab.ts';

const patience = { timeoutMs: 10_000 };

/** Some of the first three members, the leader of group 0 last. */
function firstThree(lab: ShardLab): readonly number[] {
  return [0, 1, 2].sort((a, b) => Number(a === lab.leader) - Number(b === lab.leader));
}

test('a child of shard 0 outlives the one node that it has begun on', () =>
  ShardLab.run({ members: 5, snapshotCount: 5 }, (lab) => {
    lab.begin();
    lab.put('x', 'kept');
    const [away, gone, only] = firstThree(lab) as [number, number, number];
    for (const index of [away, gone]) lab.nodes[index]?.crash();
    const at = lab.leader;
    const change: RangeChange = { kind: 'split', shard: 0, at: bytesOf('m') };
    lab.act(at, async ({ shards }) => {
      await shards.log(0, { kind: 'barrier', change, range: 1 }, patience);
      await shards.propose({ kind: 'range', change, range: 1, nodes: [1, 2, 3] }, patience);
      return true;
    });
    const child = lab.order(at).map.ofKey(bytesOf('x')).shard;
    expect(lab.order(at).map.row(child)?.nodes).toEqual([1, 2, 3]);
    // Until the log that the others could have split it off with is gone.
    for (let i = 0; i < 15; i += 1) lab.put('a', `${i}`, 3);
    lab.pass(1_500);
    lab.nodes[only]?.crash();
    for (const index of [away, gone]) lab.nodes[index]?.start();
    lab.until('both to be up', () => lab.running.length === 4);
    lab.led(child);
    expect(lab.get('x', away)).toBe('kept');
    expect(lab.get('x', 4)).toBe('kept');
    lab.nodes[only]?.start();
    lab.until('all to be up', () => lab.running.length === 5);
    lab.converge();
    lab.until('the others to have let go of it', () =>
      [3, 4].every((index) => lab.member(index).database.store.hasRoom({ from: bytesOf('m'), to: null })),
    );
  }));

test('what was merged is kept where it could not be taken over, until most have it', () =>
  ShardLab.run({ members: 5 }, (lab) => {
    lab.begin();
    const shard = lab.split('g');
    lab.led(shard);
    expect(lab.order().map.row(shard)?.nodes).toEqual([1, 2, 3]);
    const [stale, away] = firstThree(lab) as [number, number];
    lab.nodes[stale]?.crash();
    lab.until('a leader', () => lab.leader >= 0);
    const at = lab.leader;
    lab.led(shard);
    lab.put('h', 'merged', at);
    lab.change({ kind: 'merge', shard, into: 0 }, at);
    lab.until('all others to have it', () =>
      lab.running.every(({ shards }) => shards.order?.map.row(shard) === null),
    );
    for (const index of [away, at === 4 ? 3 : 4]) lab.nodes[index]?.crash();
    lab.nodes[stale]?.start();
    lab.until('it to be up', () => lab.running.length === 3);
    lab.pass(7_000);
    expect(lab.member(stale).shards.held(shard)).not.toBeNull();
    lab.nodes[away]?.start();
    lab.until('it to be let go of', () => lab.member(stale).shards.held(shard) === null);
    expect(lab.get('h', stale)).toBe('merged');
  }));

test('a replica that leaves is stored before its log goes, with the child that it has just had', () =>
  ShardLab.run({ members: 3 }, (lab) => {
    lab.begin();
    const parent = lab.split('g');
    lab.led(parent);
    lab.put('x', 'kept');
    lab.pass(500);
    const change: RangeChange = { kind: 'split', shard: parent, at: bytesOf('m') };
    const child = parent + 1;
    lab.start(0, ({ shards }) => shards.log(parent, { kind: 'barrier', change, range: 1 }, patience));
    const [last] = firstThree(lab) as [number];
    lab.until('the child', () => lab.member(last).shards.held(child) !== null);
    const { shards } = lab.member(last);
    const body = encodeMessage({ shard: parent, index: 1_000 });
    lab.start(last, () => shards.ask(shards.nodeId, paths.drop, body, patience));
    const groups = (): readonly number[] =>
      lab
        .member(last)
        .host.status()
        .groups.map(({ group }) => group);
    lab.until('its log to be gone', () => !groups().includes(parent));
    lab.pass(3);
    lab.nodes[last]?.crash();
    lab.nodes[last]?.start();
    lab.until('it to be up', () => lab.running.length === 3);
    expect(lab.member(last).shards.held(child)?.replica.stateMissing).toBe(false);
  }));

test('a replica that has ended makes room for a snapshot that has only some of its keys', () =>
  ShardLab.run({ members: 3, snapshotCount: 5 }, (lab) => {
    lab.begin();
    const shard = lab.split('g');
    lab.led(shard);
    const [stale] = firstThree(lab) as [number];
    lab.nodes[stale]?.crash();
    lab.until('a leader', () => lab.leader >= 0);
    const at = lab.leader;
    lab.led(shard);
    lab.put('h', 'merged', at);
    lab.change({ kind: 'merge', shard, into: 0 }, at);
    lab.led(lab.split('t', at));
    // Until it cannot hear of any of this from the log.
    for (let i = 0; i < 15; i += 1) lab.put('a', `${i}`, at);
    lab.nodes[stale]?.start();
    lab.pass(10);
    lab.until('it to be up', () => lab.running.length === 3);
    lab.until('it to have the order', () => lab.member(stale).shards.order?.map.row(shard) === null);
    expect(lab.get('h', stale)).toBe('merged');
  }));
