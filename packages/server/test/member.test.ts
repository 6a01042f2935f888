import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import {
  AlarmAction,
  AlarmType,
  callUnary,
  type ClientStream,
  Cluster,
  type CallOptions,
  CompactionRequest,
  CompareResult,
  CompareTarget,
  DeleteRangeRequest,
  Health,
  KV,
  Maintenance,
  type MethodDescriptor,
  openStream,
  PutRequest,
  RangeRequest,
  ServingStatus,
  TxnRequest,
  Watch,
  WatchCreateRequest,
  type WatchRequest,
  type WatchResponse,
} from '@flotilla/wire';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limits } from '../src/limits.ts';
import type { Member } from '../src/member/member.ts';
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

function put(member: number, key: string, value: string) {
  return call(member, KV.methods.Put, PutRequest.create({ key: bytes(key), value: bytes(value) }));
}

async function get(member: number, key: string): Promise<string | null> {
  const { kvs } = await call(member, KV.methods.Range, RangeRequest.create({ key: bytes(key) }));
  return kvs[0] === undefined ? null : string(kvs[0].value);
}

describe('reads and writes', () => {
  test('what one member acknowledged is read through every other', async () => {
    for (let i = 0; i < 30; i += 1) {
      await put(i % 3, 'counter', String(i));
      expect(await get((i + 1) % 3, 'counter')).toBe(String(i));
    }
  });

  test('headers say who answers, at which revision and in which term', async () => {
    const written = await put(1, 'header', '1');
    const { cluster: identity, members } = await describeCluster();
    expect(written.header).toMatchObject({ clusterId: identity, memberId: members[1] });
    const read = await call(2, KV.methods.Range, RangeRequest.create({ key: bytes('header') }));
    expect(read.header).toMatchObject({ clusterId: identity, memberId: members[2] });
    expect(read.header?.revision).toBe(written.header?.revision);
    expect(read.header?.raftTerm).toBe(written.header?.raftTerm);
    expect(read.kvs[0]?.modRevision).toBe(written.header?.revision);
  });

  test('a transaction that only reads takes no revision and no log entry', async () => {
    await put(0, 'txn', '1');
    const compare = {
      result: CompareResult.EQUAL,
      target: CompareTarget.VALUE,
      key: bytes('txn'),
      targetUnion: { case: 'value', value: bytes('1') },
      rangeEnd: new Uint8Array(0),
    } as const;
    const range = {
      request: { case: 'requestRange', value: RangeRequest.create({ key: bytes('txn') }) },
    } as const;
    const before = cluster.members[0]?.group.status().lastIndex;
    const response = await call(
      1,
      KV.methods.Txn,
      TxnRequest.create({ compare: [compare], success: [range] }),
    );
    expect(response.succeeded).toBe(true);
    const onlyCompares = await call(2, KV.methods.Txn, TxnRequest.create({ compare: [compare] }));
    expect(onlyCompares.succeeded).toBe(true);
    expect(cluster.members[0]?.group.status().lastIndex).toBe(before);
  });

  test('a physical compaction waits until history is gone', async () => {
    const old = await put(0, 'compacted', '1');
    const { header } = await put(0, 'compacted', '2');
    await call(
      1,
      KV.methods.Compact,
      CompactionRequest.create({ revision: header!.revision, physical: true }),
    );
    const read = RangeRequest.create({ key: bytes('compacted'), revision: old.header!.revision });
    await expect(call(2, KV.methods.Range, read)).rejects.toThrow(
      'etcdserver: mvcc: required revision has been compacted',
    );
  });

  test('a range of many keys comes whole', async () => {
    const value = new Uint8Array(100);
    const keys = Array.from({ length: 3_000 }, (_, i) => bytes(`many/${String(i).padStart(5, '0')}`));
    for (let i = 0; i < keys.length; i += 100) {
      const success = keys
        .slice(i, i + 100)
        .map(
          (key) => ({ request: { case: 'requestPut', value: PutRequest.create({ key, value }) } }) as const,
        );
      await call(i % 3, KV.methods.Txn, TxnRequest.create({ success }));
    }
    const request = RangeRequest.create({ key: bytes('many/'), rangeEnd: bytes('many0') });
    const { kvs, count } = await call(1, KV.methods.Range, request);
    expect(count).toBe(3_000);
    expect(kvs.map((kv) => string(kv.key))).toEqual(keys.map(string));
    const counted = await call(2, KV.methods.Range, { ...request, countOnly: true });
    expect(counted).toMatchObject({ count: 3_000, kvs: [] });
  });
});

async function describeCluster(): Promise<{ cluster: bigint; members: bigint[] }> {
  const { header, members } = await call(0, Cluster.methods.MemberList, { linearizable: true });
  const byName = [...members].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { cluster: header!.clusterId, members: byName.map((member) => member.id) };
}

describe('watches', () => {
  function watch(member: number) {
    const stream = openStream(cluster.channel(member), Watch.methods.Watch);
    const send = (request: WatchRequest['requestUnion']): void => {
      stream.write({ requestUnion: request });
    };
    return {
      create: (request: Partial<WatchCreateRequest>) =>
        send({ case: 'createRequest', value: WatchCreateRequest.create(request) }),
      cancel: (watchId: number) => send({ case: 'cancelRequest', value: { watchId } }),
      progress: () => send({ case: 'progressRequest', value: {} }),
      next: async (): Promise<WatchResponse> => {
        const response = await stream.read();
        if (response === null) throw new Error('the stream has ended');
        return response;
      },
      endRequests: () => stream.end(),
      close: () => stream.cancel(),
    };
  }

  test('many watches share a stream; each is created, fed and cancelled by its id', async () => {
    const client = watch(1);
    client.create({ key: bytes('w/a') });
    client.create({ key: bytes('w/'), rangeEnd: bytes('w0'), watchId: 7, prevKv: true });
    expect(await client.next()).toMatchObject({ created: true, watchId: 0 });
    expect(await client.next()).toMatchObject({ created: true, watchId: 7 });
    client.create({ key: bytes('w/a'), watchId: 7 });
    expect(await client.next()).toMatchObject({ created: true, canceled: true, watchId: -1 });

    const { header } = await put(2, 'w/a', '1');
    const told = [await client.next(), await client.next()];
    expect(new Set(told.map((response) => response.watchId))).toEqual(new Set([0, 7]));
    for (const response of told) {
      expect(response.header).toMatchObject({
        revision: header!.revision,
        memberId: (await describeCluster()).members[1],
      });
      expect(response.events.map((event) => string(event.kv!.value))).toEqual(['1']);
    }
    client.cancel(0);
    expect(await client.next()).toMatchObject({ canceled: true, watchId: 0 });
    await put(0, 'w/a', '2');
    const last = await client.next();
    expect(last.watchId).toBe(7);
    expect(string(last.events[0]!.prevKv!.value)).toBe('1');
    client.close();
  });

  test('a client that has sent its last request is told on', async () => {
    const client = watch(1);
    client.create({ key: bytes('w/half') });
    client.endRequests();
    expect(await client.next()).toMatchObject({ created: true });
    for (const value of ['1', '2']) {
      await put(2, 'w/half', value);
      const { events } = await client.next();
      expect(events.map(({ kv }) => string(kv!.value))).toEqual([value]);
    }
    client.close();
  });

  test('progress is told for the whole stream', async () => {
    const client = watch(2);
    client.create({ key: bytes('quiet') });
    await client.next();
    const { header } = await put(0, 'noise', '1');
    await get(2, 'noise');
    client.progress();
    expect(await client.next()).toMatchObject({
      watchId: -1,
      events: [],
      header: { revision: header!.revision },
    });
    client.close();
  });

  test('history is fed from a past revision on, deletions included', async () => {
    const first = await put(0, 'past', '1');
    await put(1, 'past', '2');
    await call(2, KV.methods.DeleteRange, DeleteRangeRequest.create({ key: bytes('past') }));
    const client = watch(1);
    client.create({ key: bytes('past'), startRevision: first.header!.revision });
    await client.next();
    const events: string[] = [];
    while (events.length < 3) {
      for (const event of (await client.next()).events) {
        events.push(
          `${event.type} ${string(event.kv!.value)} ${event.kv!.modRevision - first.header!.revision}`,
        );
      }
    }
    expect(events).toEqual(['0 1 0', '0 2 1', '1  2']);
    client.close();
  });

  test('a client that reads slowly loses nothing', async () => {
    const client = watch(0);
    client.create({ key: bytes('slow/'), rangeEnd: bytes('slow0') });
    await client.next();
    const value = new Uint8Array(32 * 1024);
    const total = 600;
    for (let i = 0; i < total; i += 50) {
      const batch = Array.from({ length: 50 }, (_, j) => bytes(`slow/${i + j}`));
      await Promise.all(batch.map((key) => call(1, KV.methods.Put, PutRequest.create({ key, value }))));
    }
    let count = 0;
    let last = 0;
    while (count < total) {
      for (const event of (await client.next()).events) {
        expect(event.kv!.modRevision).toBeGreaterThan(last);
        last = event.kv!.modRevision;
        count += 1;
      }
    }
    client.close();
  });
});

describe('maintenance', () => {
  test('status tells sizes and indexes, and agrees on the leader', async () => {
    const statuses = () =>
      Promise.all([0, 1, 2].map((member) => call(member, Maintenance.methods.Status, {})));
    const { members } = await describeCluster();
    await expect
      .poll(
        async () =>
          new Set([...(await statuses()).map(({ leader }) => leader), members[cluster.leader()]]).size,
      )
      .toBe(1);
    for (const status of await statuses()) {
      expect(status).toMatchObject({
        version: '3.7.0',
        storageVersion: '3.7.0',
        errors: [],
        isLearner: false,
      });
      expect(status.dbSizeQuota).toBe(2 ** 31);
      expect(status.dbSizeInUse).toBeLessThanOrEqual(status.dbSize);
      expect(status.dbSizeInUse).toBeGreaterThan(0);
      expect(status.raftAppliedIndex).toBeGreaterThan(0n);
    }
  });

  test('an alarm that is raised by hand is known to all members, until it is lowered', async () => {
    const alarm = { memberId: 5n, alarm: AlarmType.CORRUPT };
    const raised = { memberId: 5n, alarm: AlarmType.CORRUPT };
    const ask = (i: number, action: AlarmAction) => call(i, Maintenance.methods.Alarm, { ...alarm, action });
    expect((await ask(1, AlarmAction.GET)).alarms).toEqual([]);
    expect((await ask(0, AlarmAction.ACTIVATE)).alarms).toEqual([raised]);
    expect((await ask(1, AlarmAction.GET)).alarms).toEqual([raised]);
    expect((await ask(2, AlarmAction.DEACTIVATE)).alarms).toEqual([raised]);
    expect((await ask(0, AlarmAction.GET)).alarms).toEqual([]);
  });

  test('the health service knows the server and etcd’s KV', async () => {
    for (const service of ['', 'etcdserverpb.KV']) {
      expect(await call(1, Health.methods.Check, { service })).toEqual({ status: ServingStatus.SERVING });
    }
    await expect(call(1, Health.methods.Check, { service: 'nonsense' })).rejects.toMatchObject({ status: 5 });
  });
});

describe('a cluster without its majority', () => {
  test('says so, serves serializable reads, and goes on when a member is back', async () => {
    await put(0, 'before', '1');
    const survivor = cluster.leader();
    const guarded = openStream(cluster.channel(survivor), Watch.methods.Watch, {
      metadata: { hasleader: 'true' },
    });
    guarded.write({
      requestUnion: { case: 'createRequest', value: WatchCreateRequest.create({ key: bytes('g') }) },
    });
    expect(await guarded.read()).toMatchObject({ created: true });
    const others = [0, 1, 2].filter((member) => member !== survivor);
    for (const member of others) await cluster.stopMember(member);
    const url = cluster.endpoints[survivor] as string;

    await expect.poll(async () => (await fetch(`${url}/health`)).status, { timeout: 60_000 }).toBe(503);
    const watched = openStream(cluster.channel(survivor), Watch.methods.Watch, {
      metadata: { hasleader: 'true' },
    });
    watched.end();
    await expect(watched.read()).rejects.toMatchObject({ status: 14, message: 'etcdserver: no leader' });
    const hasLeader: CallOptions = { metadata: { hasleader: 'true' } };
    const request = RangeRequest.create({ key: bytes('before') });
    await expect(call(survivor, KV.methods.Range, request, hasLeader)).rejects.toMatchObject({
      status: 14,
      message: 'etcdserver: no leader',
    });
    await expect(
      call(survivor, KV.methods.Put, PutRequest.create({ key: bytes('x') })),
    ).rejects.toMatchObject({
      status: 14,
    });
    const local = await call(survivor, KV.methods.Range, { ...request, serializable: true });
    expect(string(local.kvs[0]!.value)).toBe('1');
    expect(await call(survivor, Health.methods.Check, { service: '' })).toEqual({
      status: ServingStatus.NOT_SERVING,
    });
    // A stream that asked for a leader is cut, so that its client can watch elsewhere.
    await expect(guarded.read()).rejects.toMatchObject({ status: 14, message: 'etcdserver: no leader' });
    const status = await call(survivor, Maintenance.methods.Status, {});
    expect(status).toMatchObject({ leader: 0n, errors: ['etcdserver: no leader'] });

    for (const member of others) await cluster.startMember(member);
    await expect.poll(async () => (await fetch(`${url}/health`)).status, { timeout: 60_000 }).toBe(200);
    expect(await get(others[0] as number, 'before')).toBe('1');
    await put(others[1] as number, 'after', '2');
    expect(cluster.failures).toEqual([]);
  });
});

describe('settings', () => {
  test('history older than the retention is compacted, watches are told progress', async () => {
    const one = await InProcessCluster.start(1, {
      'auto-compaction-retention': '200ms',
      'watch-progress-notify-interval': '100ms',
    });
    try {
      const channel = one.channel(0);
      const stream = openStream(channel, Watch.methods.Watch);
      const create = WatchCreateRequest.create({ key: bytes('w'), progressNotify: true });
      stream.write({ requestUnion: { case: 'createRequest', value: create } });
      expect(await stream.read()).toMatchObject({ created: true });
      for (const value of ['1', '2', '3']) {
        await callUnary(channel, KV.methods.Put, PutRequest.create({ key: bytes('k'), value: bytes(value) }));
      }
      const old = RangeRequest.create({ key: bytes('k'), revision: 2 });
      await expect
        .poll(() => callUnary(channel, KV.methods.Range, old).then(() => '', String), { timeout: 60_000 })
        .toContain('etcdserver: mvcc: required revision has been compacted');
      expect(await stream.read()).toMatchObject({ watchId: 0, created: false, events: [] });
      stream.cancel();
    } finally {
      await one.remove();
    }
  });
});

describe('limits', () => {
  test('at its quota a member refuses puts and takes deletions', async () => {
    const small = await InProcessCluster.start(1, { 'quota-backend-bytes': String(64 * 1024) });
    try {
      const channel = small.channel(0);
      const value = new Uint8Array(8 * 1024);
      const write = (i: number) =>
        callUnary(channel, KV.methods.Put, PutRequest.create({ key: bytes(`q/${i}`), value }));
      const full = { status: 8, message: 'etcdserver: mvcc: database space exceeded' };
      let written = 0;
      while (written < 7) {
        await write(written);
        written += 1;
      }
      await expect(write(7)).rejects.toMatchObject(full);
      const putInTxn = {
        request: { case: 'requestPut', value: PutRequest.create({ key: bytes('t'), value }) },
      } as const;
      await expect(
        callUnary(channel, KV.methods.Txn, TxnRequest.create({ success: [putInTxn] })),
      ).rejects.toMatchObject(full);
      const everything = { key: bytes('q/'), rangeEnd: bytes('q0') };
      const { deleted, header } = await callUnary(
        channel,
        KV.methods.DeleteRange,
        DeleteRangeRequest.create(everything),
      );
      expect(deleted).toBe(7);
      // What is deleted is still history.
      await expect(write(8)).rejects.toMatchObject(full);
      await callUnary(
        channel,
        KV.methods.Compact,
        CompactionRequest.create({ revision: header!.revision, physical: true }),
      );
      // The leader lowers the alarm when it has seen space for a while.
      let refusals = 0;
      for (;;) {
        const refusal = await write(9).then(
          () => null,
          (error: unknown) => error,
        );
        if (refusal === null) break;
        expect(refusal).toMatchObject(full);
        refusals += 1;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(refusals).toBeLessThan(200);
    } finally {
      await small.remove();
    }
  });

  test('a member whose data directory was lost is stopped, the others go on', async () => {
    const three = await InProcessCluster.start(3);
    try {
      await three.stopMember(1);
      await three.startMember(1, 'n2-anew');
      await expect.poll(() => three.failures.length, { timeout: 60_000 }).toBe(1);
      expect(three.failures[0]).toMatchObject({ code: 'FLOTILLA_PEER_OTHER_INSTANCE' });
      await three.stopMember(1);
      await callUnary(three.channel(0), KV.methods.Put, PutRequest.create({ key: bytes('on') }));
    } finally {
      await three.remove();
    }
  });

  test('a member whose data directory was lost is kept out by one that has its log still to apply again', async () => {
    const three = await InProcessCluster.start(3);
    try {
      const directory = join(three.directory, 'n1');
      // Version, count and checksum, and both peers.
      const size = (): number =>
        statSync(join(directory, 'raft', 'instances'), { throwIfNoEntry: false })?.size ?? 0;
      await expect.poll(size).toBe(9 + 2 * 12);
      for (const i of [0, 1, 2]) await three.stopMember(i);
      rmSync(join(directory, 'state'), { recursive: true });
      await three.startMember(1, 'n2-anew');
      const behind = await three.startMember(0);
      const leads = (): boolean => behind.group.status().role === 'leader';
      await expect.poll(() => leads() || three.failures.length > 0, { timeout: 60_000 }).toBe(true);
      expect(leads()).toBe(false);
      expect(three.failures).toMatchObject([{ code: 'FLOTILLA_PEER_OTHER_INSTANCE' }]);
      await three.stopMember(1);
      await three.startMember(2);
      await callUnary(three.channel(0), KV.methods.Put, PutRequest.create({ key: bytes('on') }));
    } finally {
      await three.remove();
    }
  });
});

describe('a client that does not read', () => {
  const { unreadAnswerMs } = limits;

  beforeAll(async () => {
    // In a range of its own, and more than what is on its way between the two ends.
    for (let i = 0; i < 6; i += 1) {
      await call(
        0,
        KV.methods.Put,
        PutRequest.create({ key: bytes(`~${i}`), value: new Uint8Array(1 << 20) }),
      );
    }
    (limits as { unreadAnswerMs: number }).unreadAnswerMs = 300;
  });

  afterAll(() => {
    (limits as { unreadAnswerMs: number }).unreadAnswerMs = unreadAnswerMs;
  });

  /** Of all that comes. */
  async function end(stream: ClientStream<unknown, unknown>): Promise<unknown> {
    try {
      while ((await stream.read()) !== null);
      return null;
    } catch (error) {
      return error;
    }
  }

  test('of a snapshot loses its place among those that take one', async () => {
    const open = () => {
      const stream = openStream(cluster.channel(0), Maintenance.methods.Snapshot);
      stream.write({});
      stream.end();
      return stream;
    };
    const stalled = Array.from({ length: limits.outgoingSnapshots }, open);
    for (const stream of stalled) expect(await stream.read()).not.toBeNull();
    expect(await end(open())).toMatchObject({ message: 'etcdserver: too many requests' });
    await expect.poll(async () => await end(open()), { timeout: 60_000 }).toBeNull();
    for (const stream of stalled) {
      expect(await end(stream)).toMatchObject({
        status: 8,
        message: expect.stringContaining('the client does not read') as string,
      });
    }
  });

  test('of a watch is held back, and told when history has gone past it', async () => {
    const stream = openStream(cluster.channel(0), Watch.methods.Watch);
    const create = WatchCreateRequest.create({ key: bytes('deaf') });
    stream.write({ requestUnion: { case: 'createRequest', value: create } });
    expect(await stream.read()).toMatchObject({ created: true });
    const { database } = cluster.members[0] as Member;
    const value = new Uint8Array(1 << 20);
    const write = () => call(1, KV.methods.Put, PutRequest.create({ key: bytes('deaf'), value }));
    // More than is on its way and in the member's own buffer.
    for (let i = 0; i < 40 && database.watches.behindCount === 0; i += 1) await write();
    expect(database.watches.behindCount).toBe(1);
    for (let i = 0; i < 3; i += 1) await write();
    const { revision } = (await write()).header!;
    await call(0, KV.methods.Compact, CompactionRequest.create({ revision, physical: true }));
    for (;;) {
      const response = await stream.read();
      if (response?.canceled === true) {
        expect(response).toMatchObject({ watchId: 0, compactRevision: revision, events: [] });
        break;
      }
      for (const event of response!.events) expect(event.kv!.modRevision).toBeLessThan(revision);
    }
    stream.cancel();
  });

  test('of a streamed range does not hold its view of the storage', async () => {
    const stream = openStream(cluster.channel(0), KV.methods.RangeStream);
    stream.write(RangeRequest.create({ key: bytes('~'), rangeEnd: bytes('~~') }));
    stream.end();
    expect(await stream.read()).not.toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 4 * limits.unreadAnswerMs));
    expect(await end(stream)).toMatchObject({
      status: 8,
      message: expect.stringContaining('the client does not read') as string,
    });
  });
});
