import { FlotillaError, isFlotillaError } from '@flotilla/platform';
import { limits as storeLimits, noOrigin } from '@flotilla/store';
import {
  CompactionRequest,
  DeleteRangeRequest,
  etcdErrors,
  PutRequest,
  RangeRequest,
  type RangeResponse,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { backendOf } from '../../test/support/memory-backend.ts';
import { type MemoryNode, MemoryShards } from '../../test/support/memory-shards.ts';
import { toEtcdError } from '../member/failures.ts';
import { Deadline } from './deadline.ts';
import type { PinnedPart } from './pinned-parts.ts';
import { allRecords } from './record-parts.ts';
import type { ShardedBackend } from './sharded-backend.ts';
import type { NodeShard } from './types.ts';

const put = (key: string, value = ''): Uint8Array =>
  PutRequest.encode(PutRequest.create({ key: Buffer.from(key), value: Buffer.from(value) }));

const deletion = DeleteRangeRequest.encode(
  DeleteRangeRequest.create({ key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) }),
);

const compact = (revision: number): Uint8Array =>
  CompactionRequest.encode(CompactionRequest.create({ revision }));

const keys = ['a', 'a/1', 'b', 'b/1', 'm', 'm/2', 'z', 'a', 'm', 'z'];

/** Three nodes with two replicas of each of three shards, and something in all of them. */
async function filled(
  seed: number,
): Promise<{ readonly shards: MemoryShards; readonly all: ShardedBackend[] }> {
  const shards = new MemoryShards(seed, 3, ['b', 'm'], 2);
  const all = shards.nodes.map((node) => backendOf(shards, node));
  for (const key of keys) await shards.run((all[0] as ShardedBackend).execute('put', put(key), noOrigin));
  return { shards, all };
}

test('a hash of all shards is answered while they are compacted and split', async () => {
  const { shards, all } = await filled(4);
  for (let i = 0; i < 4; i += 1) {
    const asked = all[i % 3] as ShardedBackend;
    const hash = asked.hashKeyValues(0);
    const compacting = (all[0] as ShardedBackend).execute('compact', compact(3 + i), noOrigin);
    if (i % 2 === 1) await shards.reshape();
    const { compactRevision } = await shards.run(hash);
    expect(compactRevision).toBeLessThanOrEqual(3 + i);
    expect((await shards.run(compacting)).kind).toBe('compact');
  }
  const hashes = [];
  for (const backend of all) {
    await shards.run(backend.readBarrier());
    hashes.push(await shards.run(backend.hashKeyValues(0)));
  }
  expect(hashes[0]).toMatchObject({ compactRevision: 6, hashRevision: 11 });
  expect(hashes).toEqual([hashes[0], hashes[0], hashes[0]]);
});

test('what compaction has overtaken says so at once, whether its replica is here or elsewhere', async () => {
  const { shards, all } = await filled(5);
  for (const { services } of all) {
    await shards.run((all[0] as ShardedBackend).readBarrier());
    const at = services.place;
    await shards.run(
      (all[0] as ShardedBackend).execute(
        'compact',
        compact(at.compactRevision < 4 ? 5 : at.compactRevision + 1),
        noOrigin,
      ),
    );
    const deadline = new Deadline(shards.platform, 600_000);
    const reading = allRecords(services.pinned, at, at.revision, deadline).next();
    await expect(shards.run(reading)).rejects.toBe(etcdErrors.compacted);
    expect(services.place.compactRevision).toBeGreaterThan(at.compactRevision);
    expect(deadline.leftMs).toBeGreaterThan(595_000);
  }
});

test('a shard that nobody has is given up in the time of a request, in words that clients know', async () => {
  const { shards, all } = await filled(6);
  const [backend] = all as [ShardedBackend];
  for (const node of shards.nodes) {
    node.nodesOf = () => [];
    const replica = node.replica.bind(node);
    node.replica = (shard) => (shard === 1 ? null : replica(shard));
  }
  // Nothing goes on meanwhile.
  shards.stop();
  const hash = backend.hashKeyValues(0).catch((reason: unknown) => reason);
  const contents = backend
    .withContents(async ({ records }) => (await records[Symbol.asyncIterator]().next()).value)
    .catch((reason: unknown) => reason);
  await shards.platform.advance(8_000);
  const error = await hash;
  expect(isFlotillaError(await contents, 'FLOTILLA_READ_TIMEOUT')).toBe(true);
  expect(isFlotillaError(error, 'FLOTILLA_READ_TIMEOUT')).toBe(true);
  expect(toEtcdError(error, { electedDuring: () => false }, 0)).toBe(etcdErrors.timeout);
});

test('a piece of records is bounded by what they take', async () => {
  const { shards, all } = await filled(7);
  const [backend] = all as [ShardedBackend];
  for (let i = 0; i < 5; i += 1) {
    await shards.run(backend.execute('put', put(`big/${i}`, 'x'.repeat(300_000)), noOrigin));
  }
  let largest = 0;
  for (const node of shards.nodes) {
    const ask = node.ask.bind(node);
    node.ask = async (to, path, body) => {
      const answer = await ask(to, path, body);
      largest = Math.max(largest, answer.length);
      return answer;
    };
  }
  const hashes = [];
  for (const { hashKeyValues } of all.map((one) => ({ hashKeyValues: () => one.hashKeyValues(0) }))) {
    hashes.push((await shards.run(hashKeyValues())).hash);
  }
  expect(new Set(hashes).size).toBe(1);
  // Four of them reach the bound of 1 MiB.
  expect([largest > 800_000, largest < 1_300_000]).toEqual([true, true]);
});

const everything = { key: Uint8Array.of(0), rangeEnd: Uint8Array.of(0) };

function keysIn(piece: RangeResponse): string[] {
  return piece.kvs.map(({ key }) => Buffer.from(key).toString());
}

test('a streamed range goes on at its revision, whatever is written, compacted and split meanwhile', async () => {
  for (const lost of [false, true]) {
    const { shards, all } = await filled(8);
    const [backend] = all as [ShardedBackend];
    await shards.run(backend.execute('put', put('c', 'x'.repeat(1_000)), noOrigin));
    await shards.run(backend.readBarrier());
    const [one, two] = [backend, all[1] as ShardedBackend].map((asked) =>
      asked.rangePieces(RangeRequest.create(everything))[Symbol.asyncIterator](),
    ) as [AsyncIterator<RangeResponse>, AsyncIterator<RangeResponse>];
    const found = [keysIn((await shards.run(one.next())).value as RangeResponse)];
    await shards.run(two.next());
    await two.return?.();
    await shards.run(backend.execute('delete-range', deletion, noOrigin));
    const shape = shards.reshape();
    // What is compacted is gone wherever it is not pinned.
    if (!lost) await shards.run(backend.execute('compact', compact(13), noOrigin));
    await shape;
    if (lost) for (const { services } of all.slice(1)) services.pinned.stop();
    let count = 0;
    for (
      let piece = await shards.run(one.next());
      piece.done !== true;
      piece = await shards.run(one.next())
    ) {
      found.push(keysIn(piece.value));
      ({ count } = piece.value);
    }
    expect(found.length).toBeGreaterThan(1);
    expect(found.flat()).toEqual(['a', 'a/1', 'b', 'b/1', 'c', 'm', 'm/2', 'z']);
    expect(count).toBe(8);
    const past = backend.rangePieces(RangeRequest.create({ ...everything, revision: 5 }));
    const reading = shards.run(past[Symbol.asyncIterator]().next());
    if (lost) await reading;
    else await expect(reading).rejects.toBe(etcdErrors.compacted);
  }
});

test('what is pinned after a reading was given up is let go of', async () => {
  const { shards, all } = await filled(10);
  const [node] = shards.nodes as [MemoryNode];
  const { services } = all[0] as ShardedBackend;
  let pinned = 0;
  for (const { held } of shards.nodes) {
    for (const { machine } of held.values()) {
      const pin = machine.store.pin.bind(machine.store);
      machine.store.pin = () => {
        pinned += 1;
        return { ...pin(), release: () => (pinned -= 1) };
      };
    }
  }
  const at = services.place;
  (node.replica(0) as NodeShard).machine.compactRevision += 1;
  const ask = node.ask.bind(node);
  node.ask = async (to, path, body) => {
    const answer = await ask(to, path, body);
    if (path !== '/shards/pinned') return answer;
    await new Promise<void>((resolve) => {
      shards.platform.timer(2_000, 'late', resolve);
    });
    return answer;
  };
  const deadline = new Deadline(shards.platform, 600_000);
  const reading = allRecords(services.pinned, at, at.revision, deadline).next();
  await expect(shards.run(reading)).rejects.toBe(etcdErrors.compacted);
  // One node has opened what it was asked for, and its answer is on its way.
  expect(pinned).toBe(1);
  shards.stop();
  await shards.platform.advance(10_000);
  expect(pinned).toBe(0);
});

test('no more readings are open than the storage has views for', async () => {
  const { shards, all } = await filled(11);
  const { services } = all[0] as ShardedBackend;
  const at = services.place;
  const span = { from: Buffer.from('a'), to: Buffer.from('b') };
  const what = { kind: 'pages', revision: at.revision } as const;
  const open = (): Promise<PinnedPart[]> =>
    services.pinned.open(span, at, what, new Deadline(shards.platform, 5_000));
  const opened: PinnedPart[][] = [];
  for (let i = 0; i < storeLimits.pinnedReads; i += 1) opened.push(await open());
  await expect(open()).rejects.toBe(etcdErrors.tooManyRequests);
  const [first] = opened[0] as [PinnedPart];
  first.close();
  first.close();
  opened.push(await open());
  await expect(open()).rejects.toBe(etcdErrors.tooManyRequests);
  for (const parts of opened) for (const part of parts) part.close();
  for (const part of await open()) part.close();
});

test('a serializable stream needs nobody else', async () => {
  const { shards, all } = await filled(9);
  const node = shards.nodes.find(({ held }) => [0, 1].every((shard) => held.has(shard))) as MemoryNode;
  const backend = all[shards.nodes.indexOf(node)] as ShardedBackend;
  node.ask = () => Promise.reject(new FlotillaError('FLOTILLA_PEER_CALL_FAILED', 'nobody answers'));
  const { index } = node.order;
  node.order.lastFact = (shard, at) => (shard === 1 ? index + 1_000 : at);
  const request = RangeRequest.create({
    key: Buffer.from('a'),
    rangeEnd: Buffer.from('c'),
    serializable: true,
  });
  const found: string[] = [];
  const read = async (): Promise<void> => {
    for await (const piece of backend.rangePieces(request)) found.push(...keysIn(piece));
  };
  await shards.run(read());
  expect(found).toEqual(['a', 'a/1', 'b', 'b/1']);
});
