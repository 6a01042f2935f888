import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  Auth,
  AuthUserAddRequest,
  callUnary,
  KV,
  type MethodDescriptor,
  openStream,
  PutRequest,
  RangeRequest,
  ShardController,
  type ShardListResponse,
  type ShardProgress,
  ShardQueryRequest,
  Shards,
} from '@flotilla/wire';
import { InProcessCluster } from './support/in-process.ts';

let cluster: InProcessCluster;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const call = { timeoutMs: 60_000 };
const keyCount = 40;

beforeAll(async () => {
  cluster = await InProcessCluster.start(4);
  await Promise.all(
    Array.from({ length: keyCount }, (_, i) => {
      const key = bytes(`k${String(i).padStart(2, '0')}`);
      return callUnary(cluster.channel(i % 4), KV.methods.Put, PutRequest.create({ key, value: key }), call);
    }),
  );
}, 30_000);

afterAll(() => cluster.remove());

/** To its end, at any member. */
async function follow<Request>(
  method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
  request: Request,
  i = 1,
): Promise<ShardProgress> {
  const stream = openStream(cluster.channel(i), method, { timeoutMs: 120_000 });
  stream.write(request);
  stream.end();
  for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
    if (progress.finished) return progress;
  }
  throw new Error('it has no end');
}

const list = (): Promise<ShardListResponse> => callUnary(cluster.channel(2), Shards.methods.List, {}, call);

async function count(): Promise<number> {
  const all = RangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0), countOnly: true });
  return (await callUnary(cluster.channel(3), KV.methods.Range, all, call)).count;
}

it('is asked for what there is no shard for yet, and says so', async () => {
  expect(await list()).toMatchObject({ configuration: 0, shards: [] });
  const request = { shard: 0, key: bytes('k'), configuration: 0 };
  await expect(follow(Shards.methods.Split, request)).rejects.toThrow(
    /^flotilla: not-sharded: .*shard begin/,
  );
});

it('a cluster is split, moved about and merged again, and no key is missed', async () => {
  await follow(Shards.methods.Begin, { shards: 3, keys: [], replicas: 0 });
  const { configuration, shards } = await list();
  expect(shards).toHaveLength(3);
  expect(shards.map(({ keys }) => keys).reduce((sum, keys) => sum + keys)).toBe(keyCount);
  expect(await count()).toBe(keyCount);
  const again = { shards: 3, keys: [], replicas: 0 };
  await expect(follow(Shards.methods.Begin, again)).rejects.toThrow(
    /^flotilla: already-sharded: .* 3 shards/,
  );

  const [, left, right] = shards;
  const shard = left?.shard ?? -1;
  const from = left?.leader ?? -1;
  const to = [1, 2, 3, 4].find((node) => !left?.replicas.some((its) => its.node === node)) ?? -1;
  const move = { shard, from, to, configuration };
  await follow(ShardController.methods.Move, move);
  const moved = (await list()).shards.find((its) => its.shard === shard);
  expect(moved?.replicas.map(({ node }) => node)).toContain(to);
  expect(moved?.replicas.map(({ node }) => node)).not.toContain(from);
  // Whoever leads it is not where it was; leaders are balanced, too.
  expect(moved?.leader).not.toBe(from);
  // Somebody who has seen the cluster as it was before.
  await expect(follow(Shards.methods.MoveReplica, { ...move, from: to, to: from })).rejects.toThrow(
    new RegExp(`^flotilla: stale: shard ${shard} has changed .*look again`),
  );

  const merged = await follow(Shards.methods.Merge, { shard, into: right?.shard ?? -1, configuration: 0 });
  expect(merged.shard).toBe(right?.shard);
  expect((await list()).shards).toHaveLength(2);
  expect(await count()).toBe(keyCount);

  // Writes keep the store busy while shard 0 takes one over, wherever its replicas are.
  const busy = Array.from({ length: keyCount }, (_, i) => {
    const key = bytes(`k${String(i).padStart(2, '0')}`);
    return callUnary(cluster.channel(i % 4), KV.methods.Put, PutRequest.create({ key, value: key }), call);
  });
  await follow(Shards.methods.Merge, { shard: right?.shard ?? -1, into: 0, configuration: 0 });
  await Promise.all(busy);
  expect((await list()).shards).toHaveLength(1);
  expect(await count()).toBe(keyCount);
  await follow(Shards.methods.Split, { shard: 0, key: bytes('k20'), configuration: 0 });
  expect(cluster.failures).toEqual([]);
});

it('configurations are numbered, kept and told', async () => {
  const query = (
    configuration: number,
  ): Promise<{ readonly configuration: number; readonly shards: readonly unknown[] }> =>
    callUnary(
      cluster.channel(0),
      ShardController.methods.Query,
      ShardQueryRequest.create({ configuration }),
      call,
    );
  const latest = await query(-1);
  expect(await query(0)).toEqual(latest);
  expect(latest.shards).toHaveLength(2);
  expect((await query(1)).shards).toHaveLength(1);
  await expect(query(latest.configuration + 1)).rejects.toThrow(/^flotilla: no-such-configuration/);
  const request = { shard: -1, limit: 0 };
  const { changes } = await callUnary(cluster.channel(0), Shards.methods.History, request, call);
  expect(changes.map((change) => change.configuration)).toEqual(changes.map((_, i) => i + 1));
  expect(changes.map(({ kind }) => kind)).toEqual(
    expect.arrayContaining(['begin', 'split', 'assign', 'members', 'merge']),
  );
});

it('only root may ask when auth is on', async () => {
  const channel = cluster.channel(0);
  const root = AuthUserAddRequest.create({ name: 'root', password: 'secret' });
  await callUnary(channel, Auth.methods.UserAdd, root, call);
  await callUnary(channel, Auth.methods.UserGrantRole, { user: 'root', role: 'root' }, call);
  await callUnary(channel, Auth.methods.AuthEnable, {}, call);
  await expect(list()).rejects.toThrow(/user name is empty/);
  const { token } = await callUnary(
    channel,
    Auth.methods.Authenticate,
    { name: 'root', password: 'secret' },
    call,
  );
  const listing = await callUnary(channel, Shards.methods.List, {}, { ...call, metadata: { token } });
  expect(listing.shards).toHaveLength(2);
});
