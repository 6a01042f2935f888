import { emptyConfiguration, type SnapshotSink, type SnapshotSource } from '@flotilla/raft';
import { LeaseGrantRequest, LeaseRevokeRequest, type WatchResponse } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import type { LeaseKeeper } from '../database.ts';
import { encodeLeaseCheckpoint, encodeLeaseExpire, encodeLeaseRenew } from './lease-requests.ts';

test('a lease is granted once, for at most as long as etcd grants one', async () => {
  const harness = await Harness.open();
  expect(grant(harness, 7n, 10)).toEqual({ id: 7n, ttl: 10, revision: 1 });
  expect(harness.refusal(() => grant(harness, 7n, 10))).toBe('etcdserver: lease already exists');
  expect(harness.refusal(() => grant(harness, 8n, 9_000_000_001))).toBe('etcdserver: too large lease TTL');
  expect(grant(harness, 8n, 9_000_000_000).ttl).toBe(9_000_000_000);
  expect(grant(harness, -1n, 5)).toEqual({ id: -1n, ttl: 5, revision: 1 });
  expect(ids(harness)).toEqual([7n, 8n, -1n]);
});

test('a put with a lease that is not there is refused, in a transaction too', async () => {
  const harness = await Harness.open();
  const notFound = 'etcdserver: requested lease not found';
  expect(harness.refusal(() => harness.put('a', '1', { lease: 7n }))).toBe(notFound);
  grant(harness, 7n);
  const put = (key: string, lease: bigint) => ({
    request: {
      case: 'requestPut' as const,
      value: { ...noPut, key: toBytes(key), value: toBytes('1'), lease },
    },
  });
  expect(harness.refusal(() => harness.txn({ success: [put('a', 7n), put('b', 8n)] }))).toBe(notFound);
  expect(keysOf(harness, 7n)).toEqual([]);
  expect(harness.list('a', 'z')).toEqual([]);
  harness.txn({ success: [put('b', 7n), put('a', 7n)] });
  expect(keysOf(harness, 7n)).toEqual(['a', 'b']);
  expect([0, 1, 2, 9].map((most) => harness.database.leases.countKeys(7n, most))).toEqual([0, 1, 2, 2]);
});

test('of a missing lease and a missing key a put names the lease, a transaction the key, as etcd does', async () => {
  const harness = await Harness.open();
  const value = { ...noPut, key: toBytes('a'), lease: 7n, ignoreValue: true };
  expect(harness.refusal(() => harness.put('a', '', { lease: 7n, ignoreValue: true }))).toBe(
    'etcdserver: requested lease not found',
  );
  expect(harness.refusal(() => harness.txn({ success: [{ request: { case: 'requestPut', value } }] }))).toBe(
    'etcdserver: key not found',
  );
});

test('a key goes with the lease of its latest put', async () => {
  const harness = await Harness.open();
  grant(harness, 7n);
  grant(harness, 8n);
  harness.put('a', '1', { lease: 7n });
  harness.put('b', '1', { lease: 7n });
  harness.put('c', '1', { lease: 7n });
  harness.put('d', '1', { lease: 7n });
  harness.put('a', '2', { lease: 8n });
  harness.put('b', '2');
  harness.put('c', '2', { ignoreLease: true });
  harness.remove('d');
  expect(keysOf(harness, 7n)).toEqual(['c']);
  expect(keysOf(harness, 8n)).toEqual(['a']);
  revoke(harness, 7n);
  expect(harness.list('a', 'z')).toEqual(['a=2', 'b=2']);
  // Its number may be granted again, and owns nothing of what the one before owned.
  grant(harness, 7n);
  expect(keysOf(harness, 7n)).toEqual([]);
});

test('a revocation deletes all keys in one revision, in their order; one without keys takes none', async () => {
  const harness = await Harness.open();
  grant(harness, 7n);
  grant(harness, 8n);
  for (const key of ['b', 'a', 'c']) harness.put(key, '1', { lease: 7n });
  const events: string[] = [];
  const stream = harness.database.watches.open({
    send: (response: WatchResponse) => {
      for (const { kv, type } of response.events) {
        events.push(`${type} ${Buffer.from(kv!.key).toString()} at ${kv!.modRevision}`);
      }
      return true;
    },
  });
  stream.request({
    requestUnion: {
      case: 'createRequest',
      value: {
        key: toBytes('a'),
        rangeEnd: toBytes('z'),
        startRevision: 0,
        progressNotify: false,
        filters: [],
        prevKv: false,
        watchId: 0,
        fragment: false,
      },
    },
  });
  expect(revoke(harness, 7n)).toBe(5);
  await harness.rest();
  expect(events).toEqual(['1 a at 5', '1 b at 5', '1 c at 5']);
  expect(revoke(harness, 8n)).toBe(5);
  expect(harness.refusal(() => revoke(harness, 8n))).toBe('etcdserver: requested lease not found');
  stream.close();
});

test('what was renewed after it seemed to have expired lives on', async () => {
  const harness = await Harness.open();
  grant(harness, 7n, 10);
  harness.put('a', '1', { lease: 7n });
  const seen = harness.database.leases.get(7n)!.generation;
  expect(renew(harness, [7n, 9n])).toEqual([10, 0]);
  harness.propose('lease-expire', encodeLeaseExpire({ term: 1, leases: [{ id: 7n, generation: seen }] }));
  expect(harness.list('a')).toEqual(['a=1']);
  const { generation } = harness.database.leases.get(7n)!;
  const expiry = (term: number) => encodeLeaseExpire({ term, leases: [{ id: 7n, generation }] });
  // Entries of the harness have term 1: this one was proposed by a leader that was none any more.
  harness.propose('lease-expire', expiry(0));
  expect(harness.list('a')).toEqual(['a=1']);
  harness.propose('lease-expire', expiry(1));
  expect(harness.list('a')).toEqual([]);
  expect(ids(harness)).toEqual([]);
  expect(renew(harness, [7n])).toEqual([0]);
});

test('what expires together goes lease by lease', async () => {
  const harness = await Harness.open();
  for (const id of [7n, 8n]) {
    grant(harness, id);
    harness.put(`${id}/a`, '1', { lease: id });
    harness.put(`${id}/b`, '1', { lease: id });
  }
  const leases = [7n, 8n, 9n].map((id) => ({
    id,
    generation: harness.database.leases.get(id)?.generation ?? 0,
  }));
  harness.propose('lease-expire', encodeLeaseExpire({ term: 1, leases }));
  expect(harness.database.revision).toBe(7);
  expect(harness.list('0', 'z')).toEqual([]);
});

test('a checkpoint counts for the generation that it was taken of', async () => {
  const harness = await Harness.open();
  grant(harness, 7n, 600);
  const { generation } = harness.database.leases.get(7n)!;
  const checkpoint = encodeLeaseCheckpoint([
    { id: 7n, generation, remaining: 300 },
    { id: 9n, generation, remaining: 300 },
  ]);
  harness.propose('lease-checkpoint', checkpoint);
  expect(harness.database.leases.get(7n)).toEqual({ id: 7n, ttl: 600, generation, remaining: 300 });
  renew(harness, [7n]);
  expect(harness.database.leases.get(7n)!.remaining).toBe(600);
  harness.propose('lease-checkpoint', checkpoint);
  expect(harness.database.leases.get(7n)!.remaining).toBe(600);
});

test('leases and their keys are there after a restart and in a snapshot', async () => {
  const harness = await Harness.open();
  const longKey = `a${'x'.repeat(3_000)}`;
  grant(harness, 7n, 600);
  grant(harness, 8n, 60);
  harness.put('b', '1', { lease: 7n });
  harness.put(longKey, '1', { lease: 7n });
  harness.put('c', '1', { lease: 8n });
  const { generation } = harness.database.leases.get(7n)!;
  harness.propose('lease-checkpoint', encodeLeaseCheckpoint([{ id: 7n, generation, remaining: 300 }]));
  await harness.rest();
  const before = [...harness.database.leases.all()];
  await harness.restart();
  expect([...harness.database.leases.all()]).toEqual(before);

  const other = await Harness.open();
  const told: string[] = [];
  other.database.keepLeases(keeper(told));
  grant(other, 9n);
  const source = harness.database.snapshot();
  const meta = { index: source.index, term: source.term, configuration: emptyConfiguration };
  const copied = copy(source, await installed(other, other.database.install(meta)));
  for (let i = 0; i < 10; i += 1) {
    await harness.rest();
    await other.rest();
  }
  await copied;
  expect([...other.database.leases.all()]).toEqual(before);
  expect(keysOf(other, 7n)).toEqual([longKey, 'b']);
  revoke(other, 7n);
  renew(other, [8n]);
  expect(other.list('a', 'z')).toEqual(['c=1']);
  expect(told).toEqual(['renewed 9', 'restored', 'removed 7', 'renewed 8']);
});

const noPut = {
  key: new Uint8Array(0),
  value: new Uint8Array(0),
  lease: 0n,
  prevKv: false,
  ignoreValue: false,
  ignoreLease: false,
};

function grant(harness: Harness, id: bigint, ttl = 10): { id: bigint; ttl: number; revision: number } {
  const result = harness.propose('lease-grant', LeaseGrantRequest.encode({ id, ttl }));
  if (result.kind !== 'lease-grant') throw new Error(`answered as a ${result.kind}`);
  const { response } = result;
  return { id: response.id, ttl: response.ttl, revision: response.header!.revision };
}

function revoke(harness: Harness, id: bigint): number {
  const result = harness.propose('lease-revoke', LeaseRevokeRequest.encode({ id }));
  if (result.kind !== 'lease-revoke') throw new Error(`answered as a ${result.kind}`);
  return result.response.header!.revision;
}

function renew(harness: Harness, leases: readonly bigint[]): readonly number[] {
  const result = harness.propose('lease-renew', encodeLeaseRenew(leases));
  if (result.kind !== 'lease-renew') throw new Error(`answered as a ${result.kind}`);
  return result.response.ttls;
}

function ids(harness: Harness): bigint[] {
  return [...harness.database.leases.all()].map(({ id }) => id);
}

function keysOf(harness: Harness, id: bigint): string[] {
  return harness.database.leases.keysOf(id).map((key) => Buffer.from(key).toString());
}

function keeper(told: string[]): LeaseKeeper {
  return {
    renewed: ({ id }) => told.push(`renewed ${id}`),
    checkpointed: ({ id }) => told.push(`checkpointed ${id}`),
    removed: (id) => told.push(`removed ${id}`),
    restored: () => told.push('restored'),
  };
}

/** Lets time pass at the harness. */
async function installed<T>(harness: Harness, done: Promise<T>): Promise<T> {
  await harness.rest();
  return await done;
}

async function copy(source: SnapshotSource, sink: SnapshotSink): Promise<void> {
  for await (const chunk of source.chunks()) await sink.write(chunk);
  await sink.finish();
}
