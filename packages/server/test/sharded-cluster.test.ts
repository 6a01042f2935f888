import { BoltReader, etcdFileStatus } from '@flotilla/store';
import {
  callUnary,
  CompactionRequest,
  KV,
  Maintenance,
  openStream,
  RangeRequest,
  type RangeResponse,
  type RpcChannel,
  Shards,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { generate } from './compatibility/differential/generator.ts';
import { runChannels } from './compatibility/differential/runner.ts';
import { InProcessCluster } from './support/in-process.ts';

const patience = { timeoutMs: 10_000 };
const settings = { 'bcrypt-cost': '4', 'auth-token-ttl': '100000' };

async function shard(channel: RpcChannel, cuts: readonly string[]): Promise<void> {
  const stream = openStream(channel, Shards.methods.Begin, patience);
  stream.write({ shards: 0, keys: cuts.map((key) => Buffer.from(key)), replicas: 0 });
  stream.end();
  let last = await stream.read();
  for (let next = last; next !== null; next = await stream.read()) last = next;
  expect(last).toMatchObject({ finished: true, done: cuts.length });
}

/** Whoever is asked says the same of the whole, and makes a whole file of it. */
async function expectAgreement(cluster: InProcessCluster): Promise<void> {
  const channels = [0, 1, 2].map((member) => cluster.channel(member));
  const everything = RangeRequest.create({
    key: Uint8Array.of(0),
    rangeEnd: Uint8Array.of(0),
    countOnly: true,
  });
  const [{ header, count }] = (await Promise.all(
    channels.map((channel) => callUnary(channel, KV.methods.Range, everything, patience)),
  )) as [RangeResponse];
  const compaction = CompactionRequest.create({ revision: (header?.revision ?? 0) - 3, physical: true });
  await callUnary(channels[2] as RpcChannel, KV.methods.Compact, compaction, patience);
  const hashes = await Promise.all(
    channels.map((channel) =>
      callUnary(channel, Maintenance.methods.HashKV, { revision: header?.revision ?? 0 }, patience),
    ),
  );
  expect(new Set(hashes.map(({ hash }) => hash)).size).toBe(1);
  expect(hashes.map(({ compactRevision }) => compactRevision)).toEqual(
    channels.map(() => compaction.revision),
  );
  const file = await snapshotOf(channels[1] as RpcChannel);
  const { totalKeys } = await etcdFileStatus(
    await BoltReader.open({
      sizeBytes: file.length,
      read: (position, length) => Promise.resolve(file.subarray(position, position + length)),
    }),
  );
  expect(totalKeys).toBeGreaterThanOrEqual(count);
}

async function snapshotOf(channel: RpcChannel): Promise<Buffer> {
  const stream = openStream(channel, Maintenance.methods.Snapshot);
  stream.write({});
  stream.end();
  const parts: Uint8Array[] = [];
  for (let blob = await stream.read(); blob !== null; blob = await stream.read()) parts.push(blob.blob);
  // The hash is the last part.
  return Buffer.concat(parts.slice(0, -1));
}

test('a cluster of three members and five shards answers what one member answers', async () => {
  const [one, many] = await Promise.all([
    InProcessCluster.start(1, settings),
    InProcessCluster.start(3, settings),
  ]);
  try {
    await shard(many.channel(2), ['a/1', 'b', 'm/1', 'm/2']);
    const { difference, operations } = await runChannels(generate(3, 60), one.channel(0), many.channel(1));
    expect(difference).toBeNull();
    expect(operations).toBe(60);
    expect(many.failures).toEqual([]);
    await expectAgreement(many);
  } finally {
    await Promise.all([one.remove(), many.remove()]);
  }
});
