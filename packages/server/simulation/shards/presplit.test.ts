import { orderShard } from '@flotilla/store';
import { expect, test } from 'vitest';
import { bytesOf } from '../cluster/etcd-messages.ts';
import { ShardLab } from './shard-lab.ts';

test('keys at which shards shall begin are cut at although whoever asked, and controls, dies', () =>
  ShardLab.run({ members: 3 }, (lab) => {
    lab.begin();
    for (const key of ['a', 'h', 'q', 'z']) lab.put(key, `of ${key}`);
    const { leader } = lab;
    const { number: configuration } = lab.order(leader).configuration;
    lab.act(leader, async ({ shards }) => {
      await shards.propose({ kind: 'wish', wish: 'kept', id: orderShard, value: 1, configuration }, patience);
      const keys = ['g', 'p', 'y'].map(bytesOf);
      await shards.propose({ kind: 'presplit', keys, configuration }, patience);
      return true;
    });
    lab.until('the first cut', () => lab.order(leader).map.rows.length > 1);
    expect(lab.order(leader).map.rows.length).toBeLessThan(4);
    lab.nodes[leader]?.crash();
    lab.until('another leader', () => lab.leader >= 0 && lab.leader !== leader);
    lab.until('all cuts', () => lab.order(lab.leader).map.rows.length === 4);
    expect(lab.order(lab.leader).configuration.presplits).toEqual([]);
    lab.nodes[leader]?.start();
    lab.until('all to be up', () => lab.running.length === 3);
    lab.converge();
    for (const key of ['a', 'h', 'q', 'z']) expect(lab.get(key, leader)).toBe(`of ${key}`);
    expect(lab.order().map.rows.map(({ span }) => new TextDecoder().decode(span.from))).toEqual([
      '',
      'g',
      'p',
      'y',
    ]);
  }));

const patience = { timeoutMs: 10_000 };
