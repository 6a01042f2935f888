import { encodeLeaseRenew, noOrigin, type Origin } from '@flotilla/store';
import { etcdErrors, LeaseGrantRequest, LeaseRevokeRequest, PutRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { backendOf } from '../../test/support/memory-backend.ts';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';
import type { ShardedBackend } from './sharded-backend.ts';

const alice: Origin = { user: { name: 'alice', authRevision: 1 }, session: null };

/** Alice may write keys before `m`. */
function aliceOf(shards: MemoryShards, node: MemoryNode): ShardedBackend {
  return backendOf(shards, node, {
    mayEverything: ({ name }) => name === 'root',
    requireKeys: (_user, keys) => {
      if (keys.some((key) => Buffer.from(key).toString() >= 'm')) throw etcdErrors.permissionDenied;
    },
  });
}

const put = (key: string): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: Buffer.from(key), lease: 7n }));

test('the keys of a lease are those of all shards, for those who may write only some of them too', async () => {
  const shards = new MemoryShards(2, 3, ['b', 'm'], 1);
  const [backend] = shards.nodes.map((node) => aliceOf(shards, node)) as [ShardedBackend];
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

test('a renewal that came before a revocation finds the lease', async () => {
  const shards = new MemoryShards(4, 3, ['b', 'm'], 1);
  const [backend] = shards.nodes.map((node) => aliceOf(shards, node)) as [ShardedBackend];
  const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id: 7n, ttl: 100 }));
  for (let round = 0; round < 5; round += 1) {
    await shards.run(backend.execute('lease-grant', grant, noOrigin));
    const both = Promise.all([
      backend.execute('lease-renew', encodeLeaseRenew([7n]), noOrigin),
      backend.execute('lease-revoke', LeaseRevokeRequest.encode({ id: 7n }), noOrigin),
    ]);
    const [renewed] = await shards.run(both);
    expect(renewed).toEqual({ kind: 'lease-renew', response: { ttls: [100] } });
  }
});

test('only shards where a lease is registered are asked for its keys, and none for those who may do everything', async () => {
  const shards = new MemoryShards(3, 3, ['b', 'd', 'f', 'm', 'p'], 1);
  const [backend] = shards.nodes.map((node) => aliceOf(shards, node)) as [ShardedBackend];
  const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id: 7n, ttl: 100 }));
  await shards.run(backend.execute('lease-grant', grant, noOrigin));
  const asked: string[] = [];
  for (const node of shards.nodes) {
    const ask = node.ask.bind(node);
    node.ask = async (to, path, body) => {
      asked.push(path);
      return await ask(to, path, body);
    };
  }
  await shards.run(backend.keysOfLease(7n));
  expect(asked).toEqual([]);
  await shards.run(backend.execute('put', put('e'), noOrigin));
  await shards.run(backend.execute('put', put('g'), noOrigin));
  await shards.run(backend.execute('put', put('z'), noOrigin));
  const startMs = shards.platform.now();
  const keys = await shards.run(backend.readBarrier().then(() => backend.keysOfLease(7n)));
  expect(keys.map((key) => Buffer.from(key).toString())).toEqual(['e', 'g', 'z']);
  expect(asked.length).toBeLessThanOrEqual(3);
  // All of them at once: no longer than it takes one.
  expect(shards.platform.now() - startMs).toBeLessThan(12);
  asked.length = 0;
  const root: Origin = { user: { name: 'root', authRevision: 1 }, session: null };
  expect(await shards.run(backend.execute('put', put('e'), root))).toMatchObject({ kind: 'put' });
  expect(asked).toEqual([]);
});

test('what a session has executed is answered again to whoever has lost the permission since', async () => {
  const shards = new MemoryShards(4, 3, ['b', 'm'], 1);
  const [backend] = shards.nodes.map((node) => aliceOf(shards, node)) as [ShardedBackend];
  const grant = LeaseGrantRequest.encode(LeaseGrantRequest.create({ id: 7n, ttl: 100 }));
  await shards.run(backend.execute('lease-grant', grant, noOrigin));
  const numbered = (request: number): Origin => ({
    ...alice,
    session: { id: 'client', request, done: 0, digest: new Uint8Array(0) },
  });
  const first = await shards.run(backend.execute('put', put('a'), numbered(1)));
  // Now a key goes with the lease that alice may not write.
  await shards.run(backend.execute('put', put('x'), noOrigin));
  expect(await shards.run(backend.execute('put', put('a'), numbered(1)))).toEqual(first);
  const denied = { kind: 'error', error: etcdErrors.permissionDenied };
  expect(await shards.run(backend.execute('put', put('a'), numbered(2)))).toEqual(denied);
});
