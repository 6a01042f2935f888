import type { ShardId } from '@flotilla/store';
import { describe, expect, test } from 'vitest';
import { ShardLab } from './shard-lab.ts';
import { placesOf, SteadyPuts } from './steady-puts.ts';

const keys = Array.from({ length: 60 }, (_, i) => `m${String(i).padStart(3, '0')}`);
/** A put takes seven milliseconds at most otherwise: two rounds, each with a sync. */
const noticedMs = 40;

describe('puts do not wait', () => {
  const loaded = (change: (lab: ShardLab, shard: ShardId) => void): Promise<unknown> =>
    ShardLab.run({ members: 5 }, (lab) => {
      lab.begin();
      const shard = lab.split('m');
      lab.led(shard);
      for (const key of keys) lab.put(key, 'before');
      const puts = new SteadyPuts(lab, keys);
      lab.pass(500);
      const begunMs = lab.world.now;
      change(lab, shard);
      lab.pass(500);
      puts.stop();
      expect(puts.longestSince(begunMs)).toBeLessThan(noticedMs);
    });

  const moved = (lab: ShardLab, shard: ShardId, goes: number): void => {
    const nodes = lab.order().map.row(shard)?.nodes ?? [];
    const [comes] = placesOf(lab, shard).free;
    lab.assign(
      shard,
      nodes.map((node) => (node === goes ? (comes as number) : node)).sort((a, b) => a - b),
    );
  };

  test('while a follower of their shard moves', () =>
    loaded((lab, shard) => moved(lab, shard, placesOf(lab, shard).followers[0] as number)));

  test('while the leader of their shard moves', () =>
    loaded((lab, shard) => {
      const { leader } = placesOf(lab, shard);
      moved(lab, shard, leader);
      expect(placesOf(lab, shard).leader).not.toBe(leader);
    }));

  test('while their shard is split', () => loaded((lab) => lab.split('m030')));
});
