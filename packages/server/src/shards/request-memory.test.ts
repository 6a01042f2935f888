import { noOrigin, type ShardId } from '@flotilla/store';
import { DeleteRangeRequest, etcdErrors, PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { backendOf } from '../../test/support/memory-backend.ts';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';
import { limits } from '../limits.ts';
import type { ShardedBackend } from './sharded-backend.ts';

const put = (key: string, value = ''): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) }));
const deletion = (key: string, rangeEnd: string): Uint8Array =>
  DeleteRangeRequest.encode(
    DeleteRangeRequest.create({ key: Buffer.from(key), rangeEnd: Buffer.from(rangeEnd) }),
  );

/** A member of one node with shards [, b), [b, m), [m, ). What is for the stuck shard is not answered, until it is let go. */
function stuckMember(stuck: ShardId): {
  readonly shards: MemoryShards;
  readonly node: MemoryNode;
  readonly backend: ShardedBackend;
  readonly letGo: () => void;
} {
  const shards = new MemoryShards(2, 1, ['b', 'm'], 1);
  const [node] = shards.nodes as [MemoryNode];
  const backend = backendOf(shards, node, { mayEverything: () => true });
  const submit = node.submit.bind(node);
  let letGo: () => void = () => undefined;
  const isFree = new Promise<void>((resolve) => (letGo = resolve));
  node.submit = async (shard, entry) => {
    if (shard === stuck) await isFree;
    return await submit(shard, entry);
  };
  return { shards, node, backend, letGo };
}

test('a shard that is stuck has no other one remember more than it has to', async () => {
  const { shards, node, backend, letGo } = stuckMember(1);
  const waiting = backend.execute('put', put('c'), noOrigin);
  for (let i = 0; i < 20; i += 1) await shards.run(backend.execute('put', put('z'), noOrigin));
  for (let i = 0; i < 20; i += 1) await shards.run(backend.execute('put', put('a'), noOrigin));
  const sizeOf = (shard: ShardId): number => node.replica(shard)?.machine.memory.size ?? 0;
  expect([sizeOf(0), sizeOf(2)]).toEqual([1, 1]);
  // Several shards take part in it, and all of them remember what came before; so does the order.
  const several = backend.execute('delete-range', deletion('c', 'z'), noOrigin);
  letGo();
  expect(await shards.run(waiting)).toMatchObject({ kind: 'put' });
  expect(await shards.run(several)).toMatchObject({ response: { deleted: 1 } });
  await shards.run(backend.execute('put', put('c'), noOrigin));
  expect(sizeOf(1)).toBeLessThan(3);
});

test('what comes to a shard that has come further is numbered anew, and executed once', async () => {
  const { shards, node, backend, letGo } = stuckMember(1);
  await shards.run(backend.execute('put', put('z'), noOrigin));
  const waiting = [
    backend.execute('put', put('n', 'waits'), noOrigin),
    backend.execute('put', put('c', 'waits'), noOrigin),
  ];
  for (let i = 0; i < 5; i += 1) await shards.run(backend.execute('put', put('z'), noOrigin));
  const { map } = node.order;
  const group = shards.groups.get(1);
  group?.appendOwn({ kind: 'barrier', change: { kind: 'merge', shard: 1, into: 2 }, range: 1 });
  for (let i = 0; node.order.map === map && i < 500; i += 1) await shards.platform.advance(1);
  // Shard 2 has their keys, and has long forgotten numbers as low as theirs.
  expect(node.order.map.rows.map(({ shard }) => shard)).toEqual([0, 2]);
  letGo();
  const answers = await shards.run(Promise.all(waiting));
  expect(answers.map(({ kind }) => kind)).toEqual(['put', 'put']);
  expect(await shards.run(backend.execute('delete-range', deletion('c', 'o'), noOrigin))).toMatchObject({
    response: { deleted: 2 },
  });
});

test('writes that are under way are bounded by what they take', async () => {
  const { shards, backend, letGo } = stuckMember(1);
  const large = put('c', 'x'.repeat(limits.shardRequestBytes / 3));
  const waiting = [1, 2].map(() => backend.execute('put', large, noOrigin));
  await expect(shards.run(backend.execute('put', large, noOrigin))).rejects.toBe(etcdErrors.tooManyRequests);
  expect(await shards.run(backend.execute('put', put('z'), noOrigin))).toMatchObject({ kind: 'put' });
  for (const one of waiting) one.catch(() => undefined);
  letGo();
});
