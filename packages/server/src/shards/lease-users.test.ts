import { noOrigin, type Origin } from '@flotilla/store';
import { etcdErrors, LeaseGrantRequest, LeaseRevokeRequest, PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';
import { ShardedBackend } from './sharded-backend.ts';

const alice: Origin = { user: { name: 'alice', authRevision: 1 }, session: null };

/** Alice may write keys before `m`. */
function backendOf(shards: MemoryShards, node: MemoryNode): ShardedBackend {
  return new ShardedBackend({
    platform: shards.platform,
    node,
    timeoutMs: 5_000,
    pieceBytes: 1_000,
    isCurrent: () => false,
    requireKeys: (_user, keys) => {
      if (keys.some((key) => Buffer.from(key).toString() >= 'm')) throw etcdErrors.permissionDenied;
    },
  });
}

const put = (key: string): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: Buffer.from(key), lease: 7n }));

test('the keys of a lease are those of all shards, for those who may write only some of them too', async () => {
  const shards = new MemoryShards(2, 3, ['b', 'm'], 1);
  const [backend] = shards.nodes.map((node) => backendOf(shards, node)) as [ShardedBackend];
  const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id: 7n, ttl: 100 }));
  const revoke = LeaseRevokeRequest.encode({ id: 7n });
  const denied = { kind: 'error', error: etcdErrors.permissionDenied };
  await shards.run(backend.execute('lease-grant', grant, noOrigin));
  expect(await shards.run(backend.execute('put', put('a'), alice))).toMatchObject({ kind: 'put' });
  await shards.run(backend.execute('put', put('x'), noOrigin));
  await shards.run(backend.execute('put', put('c'), noOrigin));
  const keys = await shards.run(backend.readBarrier().then(() => backend.keysOfLease(7n)));
  expect(keys.map((key) => Buffer.from(key).toString())).toEqual(['a', 'c', 'x']);
  expect(await shards.run(backend.execute('put', put('a'), alice))).toEqual(denied);
  expect(await shards.run(backend.execute('lease-revoke', revoke, alice))).toEqual(denied);
  const { kind } = await shards.run(backend.execute('lease-revoke', revoke, noOrigin));
  expect(kind).toBe('lease-revoke');
  expect(await shards.run(backend.readBarrier().then(() => backend.keysOfLease(7n)))).toEqual([]);
});
