import {
  callUnary,
  DeleteRangeRequest,
  KV,
  Lease,
  type LeaseKeepAliveResponse,
  LeaseLeasesRequest,
  type MethodDescriptor,
  openStream,
  PutRequest,
  RangeRequest,
  type Status,
} from '@flotilla/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InProcessCluster } from './support/in-process.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const string = (value: Uint8Array): string => new TextDecoder().decode(value);

let cluster: InProcessCluster;

beforeAll(async () => {
  cluster = await InProcessCluster.start(3);
});

afterAll(async () => {
  await cluster.remove();
});

function call<Request, Response>(
  member: number,
  method: MethodDescriptor<Request, Response, 'unary'>,
  request: Request,
): Promise<Response> {
  return callUnary(cluster.channel(member), method, request);
}

async function refusal(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    () => 'no error',
    (error: { status: Status; message: string }) => `${error.status} ${error.message}`,
  );
}

function grant(member: number, ttl: number, id = 0n) {
  return call(member, Lease.methods.LeaseGrant, { id, ttl });
}

function put(member: number, key: string, lease: bigint) {
  return call(member, KV.methods.Put, PutRequest.create({ key: bytes(key), value: bytes('x'), lease }));
}

async function timeToLive(member: number, id: bigint): Promise<unknown> {
  const { header: _, ...rest } = await call(member, Lease.methods.LeaseTimeToLive, { id, keys: true });
  return { ...rest, ttl: rest.ttl > 0 ? 'some' : rest.ttl, keys: rest.keys.map(string) };
}

async function leases(member: number): Promise<readonly bigint[]> {
  const listed = await call(member, Lease.methods.LeaseLeases, LeaseLeasesRequest.create({}));
  return listed.leases.map(({ id }) => id);
}

test('a renewal that came before a revocation finds the lease', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { id } = await grant(0, 60);
    const stream = openStream(cluster.channel(0), Lease.methods.LeaseKeepAlive);
    stream.write({ id });
    await stream.read();
    stream.write({ id });
    const [renewed] = await Promise.all([stream.read(), call(0, Lease.methods.LeaseRevoke, { id })]);
    expect(renewed).toMatchObject({ id, ttl: 60 });
    stream.cancel();
  }
});

test('a lease has the id and the time that were asked for, or those that the member chose', async () => {
  const asked = await grant(0, 60, 123n);
  expect(asked).toMatchObject({ id: 123n, ttl: 60, error: '' });
  const chosen = await grant(1, 60);
  expect(chosen.id > 0n && chosen.id < 1n << 63n).toBe(true);
  expect(await grant(2, 0, 124n)).toMatchObject({ ttl: 2 });
  expect(await grant(2, -5, -7n)).toMatchObject({ id: -7n, ttl: 2 });
  expect(await refusal(grant(2, 60, 123n))).toBe('9 etcdserver: lease already exists');
  expect(await refusal(grant(2, 9_000_000_001, 123n))).toBe('11 etcdserver: too large lease TTL');
  await call(0, Lease.methods.LeaseRevoke, { id: 123n });
  expect(await refusal(call(1, Lease.methods.LeaseRevoke, { id: 123n }))).toBe(
    '5 etcdserver: requested lease not found',
  );
  await call(0, Lease.methods.LeaseRevoke, { id: chosen.id });
});

test('every member knows what is left of a lease and which keys go with it', async () => {
  await grant(0, 100, 200n);
  for (const key of ['lease/b', 'lease/a', 'lease/c']) await put(0, key, 200n);
  await call(1, KV.methods.DeleteRange, DeleteRangeRequest.create({ key: bytes('lease/c') }));
  for (const member of [0, 1, 2]) {
    expect(await timeToLive(member, 200n)).toEqual({
      id: 200n,
      ttl: 'some',
      grantedTtl: 100,
      keys: ['lease/a', 'lease/b'],
    });
    expect(await leases(member)).toContain(200n);
  }
  const answer = await call(1, Lease.methods.LeaseTimeToLive, { id: 200n, keys: false });
  expect(answer.keys).toEqual([]);
  expect(answer.ttl).toBeGreaterThanOrEqual(90);
  expect(answer.ttl).toBeLessThanOrEqual(100);
  expect(await timeToLive(2, 999n)).toEqual({ id: 999n, ttl: -1, grantedTtl: 0, keys: [] });
  const { header } = await call(2, Lease.methods.LeaseRevoke, { id: 200n });
  const range = await call(
    0,
    KV.methods.Range,
    RangeRequest.create({ key: bytes('lease/'), rangeEnd: bytes('lease0') }),
  );
  expect(range.kvs).toEqual([]);
  expect(range.header!.revision).toBe(header!.revision);
  expect(await refusal(put(0, 'lease/a', 200n))).toBe('5 etcdserver: requested lease not found');
});

test('renewals are answered in order; a lease that is not there has no time left, and the stream goes on', async () => {
  await grant(0, 100, 300n);
  await grant(0, 50, 301n);
  const stream = openStream(cluster.channel(1), Lease.methods.LeaseKeepAlive);
  const ids = [300n, 999n, 301n, 300n, 0n];
  for (const id of ids) stream.write({ id });
  const answers: LeaseKeepAliveResponse[] = [];
  for (let i = 0; i < ids.length; i += 1) answers.push((await stream.read())!);
  expect(answers.map(({ id, ttl }) => [id, ttl])).toEqual([
    [300n, 100],
    [999n, 0],
    [301n, 50],
    [300n, 100],
    [0n, 0],
  ]);
  expect(answers[0]!.header!.revision).toBeGreaterThan(0);
  stream.write({ id: 301n });
  expect(await stream.read()).toMatchObject({ id: 301n, ttl: 50 });
  stream.end();
  expect(await stream.read()).toBe(null);
  for (const id of [300n, 301n]) await call(0, Lease.methods.LeaseRevoke, { id });
});

test('a lease that is kept alive outlives its time and an election; one that is not goes with its keys', async () => {
  await grant(0, 2, 400n);
  await grant(0, 2, 401n);
  await put(0, 'alive', 400n);
  await put(0, 'dead', 401n);
  let kept = true;
  const keeping = (async () => {
    while (kept) {
      const stream = openStream(cluster.channel(1), Lease.methods.LeaseKeepAlive);
      stream.write({ id: 400n });
      const answer = await stream.read().catch(() => null);
      stream.cancel();
      if (answer !== null) expect(answer.ttl).toBe(2);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  })();
  const first = cluster.leader();
  cluster.members[first]!.group.resign();
  for (;;) {
    const { kvs } = await call(2, KV.methods.Range, RangeRequest.create({ key: bytes('dead') }));
    if (kvs.length === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect(await timeToLive(0, 401n)).toMatchObject({ ttl: -1 });
  expect(await timeToLive(0, 400n)).toMatchObject({ grantedTtl: 2, keys: ['alive'] });
  kept = false;
  await keeping;
}, 30_000);
