import { type OrderMachine, orderShard, type ShardMachine } from '@flotilla/store';
import type { Member } from '../../src/member/member.ts';

/** Nothing of any shard is under way: no lock, no transaction in doubt, no change, and every replica has everything. */
export function shardsAtRest(members: readonly (Member | null)[]): boolean {
  const nodes = members.map((member) => member?.shards ?? null);
  const [first] = nodes.map((node) => node?.order ?? null);
  if (first === null || first === undefined)
    return nodes.every((node) => node !== null && node.order === null);
  if (nodes.some((node) => node?.order?.index !== first.index)) return false;
  return first.map.rows.every(({ shard, nodes: placed }) => {
    const replicas = nodes.flatMap((node) => node?.replica(shard) ?? []);
    if (shard !== orderShard && replicas.length !== placed.length) return false;
    return replicas.every((replica) => replica.isReady && isDone(replica.machine, first));
  });
}

/** Nothing waits in it, and it has heard all that the order has said to it. */
export function isDone(machine: ShardMachine, order: OrderMachine): boolean {
  if (machine.barrier !== null || !machine.isDrained) return false;
  return machine.ordered >= (order.lastFact(machine.shard, order.index) ?? 0);
}

/** Which shards somebody has something to do for, for reports. */
export function describeShards(members: readonly (Member | null)[]): string {
  return members
    .map((member) => {
      const order = member?.shards.order ?? null;
      if (member === null || order === null) return 'not sharded';
      const own = [...member.shards.replicas()].map((replica) => {
        const { shard, leads } = replica;
        if (!replica.isReady) return `${shard} waits for a snapshot`;
        const { machine } = replica;
        const state =
          machine.barrier === null
            ? machine.isDrained
              ? 'at rest'
              : 'busy'
            : `in a ${machine.barrier.kind}`;
        const told = order.lastFact(shard, order.index) ?? 0;
        return `${shard}${leads ? ' (leads)' : ''} ${state}, told ${machine.ordered} of ${told}`;
      });
      const rows = order.map.rows.map(({ shard, nodes }) => `${shard} on ${nodes.join('+')}`);
      return `order ${order.index} at ${order.frontier} (${rows.join(', ')}): ${own.join(', ')}`;
    })
    .join(' | ');
}
