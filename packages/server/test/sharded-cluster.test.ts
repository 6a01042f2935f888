import { orderShard, type RangeChange, type ShardId } from '@flotilla/store';
import { expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { generate } from './compatibility/differential/generator.ts';
import { runChannels } from './compatibility/differential/runner.ts';
import { InProcessCluster } from './support/in-process.ts';

const patience = { timeoutMs: 10_000 };
const settings = { 'bcrypt-cost': '4', 'auth-token-ttl': '100000' };

/** Makes the cluster sharded, and cuts it at these keys, the last one first. */
async function shard(cluster: InProcessCluster, cuts: readonly string[]): Promise<void> {
  const [member] = cluster.running as [Member];
  const nodes = member.membership.members.map(({ nodeId }) => ({ node: nodeId, zone: '', labels: [] }));
  await member.shards.propose({ kind: 'begin', nodes }, patience);
  for (const at of [...cuts].sort().reverse()) {
    await change(member, { kind: 'split', shard: orderShard, at: Buffer.from(at) });
  }
}

async function change(member: Member, change: RangeChange): Promise<void> {
  const { order } = member.shards;
  if (order === null) throw new Error('the cluster is not sharded');
  const before = order.map;
  const range = before.row(change.shard)?.range as number;
  await member.shards.log(change.shard, { kind: 'barrier', change, range }, patience);
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (order.map.rows.length === before.rows.length) return;
      unsubscribe();
      resolve();
    };
    const unsubscribe = member.shards.onOrder(look);
    look();
  });
}

test('a cluster of three members and five shards answers what one member answers', async () => {
  const [one, many] = await Promise.all([
    InProcessCluster.start(1, settings),
    InProcessCluster.start(3, settings),
  ]);
  try {
    await shard(many, ['a/1', 'b', 'm/1', 'm/2']);
    const shards = new Set<ShardId>(many.running[0]?.shards.order?.map.rows.map((row) => row.shard));
    expect(shards.size).toBe(5);
    const { difference, operations } = await runChannels(generate(3, 80), one.channel(0), many.channel(1));
    expect(difference).toBeNull();
    expect(operations).toBe(80);
    expect(many.failures).toEqual([]);
  } finally {
    await Promise.all([one.remove(), many.remove()]);
  }
});
