import {
  callUnary,
  Cluster,
  KV,
  Maintenance,
  type Member,
  MemberAddRequest,
  MemberListRequest,
  MemberRemoveRequest,
  MoveLeaderRequest,
  PutRequest,
  RangeRequest,
} from '@flotilla/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const timeoutMs = 30_000;
const key = new TextEncoder().encode('key');

let cluster: InProcessCluster;

// One cluster lives through all of it.
beforeAll(async () => {
  cluster = await InProcessCluster.start(3);
}, 120_000);

afterAll(async () => {
  await cluster.remove();
});

async function list(i: number): Promise<readonly Member[]> {
  const request = MemberListRequest.create({ linearizable: true });
  return (await callUnary(cluster.channel(i), Cluster.methods.MemberList, request, { timeoutMs })).members;
}

function add(i: number, url: string): Promise<unknown> {
  const request = MemberAddRequest.create({ peerUrls: [url] });
  return callUnary(cluster.channel(i), Cluster.methods.MemberAdd, request, { timeoutMs });
}

test('members that have not been connected for long make no quorum of a larger cluster', async () => {
  await expect(add(0, 'http://127.0.0.1:1')).rejects.toMatchObject({
    message: 'etcdserver: unhealthy cluster',
  });
  const id = (await list(0)).find(({ name }) => name === 'n2')?.id ?? 0n;
  const request = MemberRemoveRequest.create({ id });
  const removal = callUnary(cluster.channel(0), Cluster.methods.MemberRemove, request, { timeoutMs });
  await expect(removal).rejects.toMatchObject({ message: 'etcdserver: unhealthy cluster' });
  expect(await list(0)).toHaveLength(3);
});

test('leadership is moved by the leader, to a member, and is there when the call is answered', async () => {
  const move = (i: number, targetId: bigint): Promise<unknown> => {
    const request = MoveLeaderRequest.create({ targetId });
    return callUnary(cluster.channel(i), Maintenance.methods.MoveLeader, request, { timeoutMs });
  };
  const leader = cluster.leader();
  const other = (leader + 1) % 3;
  const target = cluster.members[other]?.membership.self?.memberId ?? 0n;
  await expect(move(other, target)).rejects.toMatchObject({ message: 'etcdserver: not leader' });
  await expect(move(leader, 1n)).rejects.toMatchObject({ message: 'etcdserver: bad leader transferee' });
  await move(leader, target);
  expect(cluster.members[leader]?.backend.status().leaderId).toBe(target);
});

test('with --force-new-cluster one member goes on alone with everything that it has', async () => {
  const put = PutRequest.create({ key, value: key });
  await callUnary(cluster.channel(0), KV.methods.Put, put, { timeoutMs });
  await Promise.all([0, 1, 2].map((i) => cluster.stopMember(i)));
  await (await cluster.startMember(0, 'n1', { 'force-new-cluster': 'true' })).whenReady();
  const alone = await list(0);
  expect(alone.map(({ name }) => name)).toEqual(['n1']);
  const { kvs } = await callUnary(cluster.channel(0), KV.methods.Range, RangeRequest.create({ key }), {
    timeoutMs,
  });
  expect(kvs).toHaveLength(1);

  // Given again it changes nothing, and taken away neither.
  for (const more of [{ 'force-new-cluster': 'true' }, {}]) {
    await cluster.stopMember(0);
    await (await cluster.startMember(0, 'n1', more)).whenReady();
    expect(await list(0)).toEqual(alone);
  }

  // The others are out: whoever comes next gets an id of its own.
  await add(0, 'http://127.0.0.1:1');
  const registered = [...(cluster.members[0]?.database.registry.members.keys() ?? [])];
  expect(registered).toEqual([1, 4]);
});
