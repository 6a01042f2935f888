import {
  callUnary,
  type CallOptions,
  Election,
  KV,
  Lease,
  Lock,
  type MethodDescriptor,
  openStream,
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
  options?: CallOptions,
): Promise<Response> {
  return callUnary(cluster.channel(member), method, request, options);
}

async function refusal(answer: Promise<unknown>): Promise<string> {
  return await answer.then(
    () => 'no error',
    (error: { status: Status; message: string }) => `${error.status} ${error.message}`,
  );
}

function lock(member: number, name: string, lease: bigint, options?: CallOptions) {
  return call(member, Lock.methods.Lock, { name: bytes(name), lease }, options);
}

function campaign(member: number, name: string, lease: bigint, value: string, options?: CallOptions) {
  return call(member, Election.methods.Campaign, { name: bytes(name), lease, value: bytes(value) }, options);
}

async function keys(prefix: string): Promise<string[]> {
  const request = RangeRequest.create({ key: bytes(prefix), rangeEnd: bytes(`${prefix}~`) });
  const { kvs } = await call(0, KV.methods.Range, request);
  return kvs.map(({ key }) => string(key));
}

/** Resolves when the condition holds of the keys with a prefix. */
async function until(prefix: string, holds: (found: string[]) => boolean): Promise<void> {
  for (;;) {
    if (holds(await keys(prefix))) return;
  }
}

async function grant(...ids: bigint[]): Promise<void> {
  for (const id of ids) await call(0, Lease.methods.LeaseGrant, { id, ttl: 600 });
}

test('a lock is held by one at a time, in the order in which they came', async () => {
  await grant(0x10n, 0x11n, 0x12n);
  const first = await lock(0, 'order', 0x10n);
  expect(string(first.key)).toBe('order/10');
  const again = await lock(1, 'order', 0x10n);
  expect(string(again.key)).toBe('order/10');
  const held: string[] = [];
  const second = lock(1, 'order', 0x11n).then(({ key }) => held.push(string(key)));
  await until('order/', (found) => found.length === 2);
  const third = lock(2, 'order', 0x12n).then(({ key }) => held.push(string(key)));
  await until('order/', (found) => found.length === 3);
  expect(held).toEqual([]);
  await call(2, Lock.methods.Unlock, { key: first.key });
  await second;
  expect(held).toEqual(['order/11']);
  await call(2, Lock.methods.Unlock, { key: bytes('order/11') });
  await third;
  expect(held).toEqual(['order/11', 'order/12']);
});

test('a lock without a lease gets one of 60 seconds that nobody renews', async () => {
  const { key } = await lock(1, 'orphan', 0n);
  const id = BigInt(`0x${string(key).slice('orphan/'.length)}`);
  const { grantedTtl } = await call(2, Lease.methods.LeaseTimeToLive, { id, keys: false });
  expect(grantedTtl).toBe(60);
});

test('with a session a second try gets the lock of the first, not another one behind it', async () => {
  const metadata = { 'flotilla-session': 'locker', 'flotilla-request': '1' };
  const { key } = await lock(0, 'retried', 0n, { metadata });
  expect((await lock(1, 'retried', 0n, { metadata, timeoutMs: 30_000 })).key).toEqual(key);
  expect(await keys('retried/')).toHaveLength(1);
});

test('who waits and whose lease ends is told so; who gives up leaves the queue', async () => {
  await grant(0x20n, 0x21n, 0x22n);
  await lock(0, 'wait', 0x20n);
  const expired = refusal(lock(1, 'wait', 0x21n));
  await until('wait/', (found) => found.length === 2);
  await call(0, Lease.methods.LeaseRevoke, { id: 0x21n });
  expect(await expired).toBe('2 mutex: session is expired');
  const controller = new AbortController();
  const cancelled = refusal(lock(1, 'wait', 0x22n, { signal: controller.signal }));
  await until('wait/', (found) => found.length === 2);
  controller.abort();
  expect(await cancelled).toMatch(/^1 /);
  await until('wait/', (found) => found.length === 1);
  expect(await keys('wait/')).toEqual(['wait/20']);
  expect(await refusal(lock(1, 'wait', 0x22n, { timeoutMs: 200 }))).toMatch(/^4 /);
  await until('wait/', (found) => found.length === 1);
});

test('what a first try gives up is not what a second one with the same lease was given', async () => {
  await grant(0x28n, 0x29n);
  const { key } = await lock(0, 'twice', 0x28n);
  const controller = new AbortController();
  const first = refusal(lock(1, 'twice', 0x29n, { signal: controller.signal }));
  await until('twice/', (found) => found.length === 2);
  const second = lock(2, 'twice', 0x29n);
  for (;;) {
    const { kvs } = await call(0, KV.methods.Range, RangeRequest.create({ key: bytes('twice/29') }));
    if (kvs[0]?.version === 2) break;
  }
  controller.abort();
  expect(await first).toMatch(/^1 /);
  await call(0, Lock.methods.Unlock, { key });
  expect(string((await second).key)).toBe('twice/29');
  // By now the first has given up, too: this goes through its member after that.
  await lock(1, 'other', 0x28n);
  expect(await keys('twice/')).toEqual(['twice/29']);
});

test('errors are those of etcd, which calls itself and loses the code on the way', async () => {
  const notFound = '2 etcdserver: requested lease not found';
  expect(await refusal(lock(0, 'none', 0x999n))).toBe(notFound);
  expect(await refusal(campaign(0, 'none', 0x999n, 'x'))).toBe(notFound);
  expect(await refusal(call(0, Lock.methods.Unlock, { key: bytes('') }))).toBe(
    '2 etcdserver: key is not provided',
  );
  expect(await refusal(call(0, Lock.methods.Unlock, { key: bytes('nothing') }))).toBe('no error');
  const missing = '2 "leader" field must be provided';
  expect(await refusal(call(0, Election.methods.Proclaim, { leader: null, value: bytes('x') }))).toBe(
    missing,
  );
  expect(await refusal(call(0, Election.methods.Resign, { leader: null }))).toBe(missing);
  expect(await refusal(call(0, Election.methods.Leader, { name: bytes('none') }))).toBe(
    '2 election: no leader',
  );
  const leader = { name: bytes('none'), key: bytes('none/1'), rev: 7, lease: 0x999n };
  expect(await refusal(call(0, Election.methods.Proclaim, { leader, value: bytes('x') }))).toBe(
    '2 election: not leader',
  );
  expect(await refusal(call(0, Election.methods.Resign, { leader }))).toBe('no error');
});

test('an election has one leader, whose proclamations are observed, and so is who comes after it', async () => {
  await grant(0x30n, 0x31n);
  const observed: string[] = [];
  const stream = openStream(cluster.channel(2), Election.methods.Observe);
  stream.write({ name: bytes('race') });
  stream.end();
  const observe = async (): Promise<void> => {
    const { kv, header } = (await stream.read())!;
    expect(header!.revision).toBeGreaterThanOrEqual(kv!.modRevision);
    observed.push(`${string(kv!.key)}=${string(kv!.value)}`);
  };
  const first = await campaign(0, 'race', 0x30n, 'one');
  expect(first.leader).toMatchObject({ name: bytes('race'), key: bytes('race/30'), lease: 0x30n });
  expect(first.leader!.rev).toBe(first.header!.revision);
  await observe();
  const again = await campaign(1, 'race', 0x30n, 'uno');
  expect(again.leader).toEqual(first.leader);
  await observe();
  const second = campaign(1, 'race', 0x31n, 'two');
  await until('race/', (found) => found.length === 2);
  await call(2, Election.methods.Proclaim, { leader: first.leader, value: bytes('eins') });
  await observe();
  const led = await call(1, Election.methods.Leader, { name: bytes('race') });
  expect([string(led.kv!.key), string(led.kv!.value)]).toEqual(['race/30', 'eins']);
  await call(2, Election.methods.Resign, { leader: first.leader });
  await observe();
  const { leader } = await second;
  expect(leader!.key).toEqual(bytes('race/31'));
  expect(await refusal(call(0, Election.methods.Proclaim, { leader: first.leader, value: bytes('x') }))).toBe(
    '2 election: not leader',
  );
  // Without a lease the key keeps the one that it has.
  await call(0, Election.methods.Proclaim, { leader: { ...leader!, lease: 0n }, value: bytes('zwei') });
  await observe();
  await call(0, Lease.methods.LeaseRevoke, { id: 0x31n });
  expect(await keys('race/')).toEqual([]);
  expect(observed).toEqual(['race/30=one', 'race/30=uno', 'race/30=eins', 'race/31=two', 'race/31=zwei']);
  stream.cancel();
});

test('who campaigns and whose lease ends does not lead; who gives up leaves', async () => {
  await grant(0x40n, 0x41n, 0x42n);
  await campaign(0, 'lost', 0x40n, 'x');
  const expired = refusal(campaign(1, 'lost', 0x41n, 'y'));
  await until('lost/', (found) => found.length === 2);
  await call(0, Lease.methods.LeaseRevoke, { id: 0x41n });
  expect(await expired).toBe('2 election: not leader');
  expect(await refusal(campaign(1, 'lost', 0x42n, 'z', { timeoutMs: 200 }))).toMatch(/^4 /);
  await until('lost/', (found) => found.length === 1);
});
