import { encodeLeaseExpire, noOrigin } from '@flotilla/store';
import { LeaseGrantRequest, PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { backendOf } from '../../test/support/memory-backend.ts';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';

test('leases that expire at one look end, all of them, wherever their keys are', async () => {
  const shards = new MemoryShards(2, 3, ['b', 'm'], 2);
  const [node] = shards.nodes as [MemoryNode];
  const backend = backendOf(shards, node);
  const leases: { readonly id: bigint; readonly generation: number }[] = [];
  for (const id of [7n, 8n, 9n]) {
    const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id, ttl: 100 }));
    await shards.run(backend.execute('lease-grant', grant, noOrigin));
    for (const shard of ['a', 'c', 'x']) {
      const put = PutRequest.create({ key: Buffer.from(`${shard}${id}`), lease: id });
      await shards.run(backend.execute('put', PutRequest.encode(put), noOrigin));
    }
    leases.push({ id, generation: node.order.leases.get(id)?.generation ?? 0 });
  }
  const { frontier } = node.order;
  await shards.run(backend.execute('lease-expire', encodeLeaseExpire({ term: 1, leases }), noOrigin));
  for (let i = 0; node.order.leases.size > 0 && i < 1_000; i += 1) await shards.platform.advance(1);
  expect(node.order.leases.size).toBe(0);
  expect(node.order.frontier).toBe(frontier + 3);
});
