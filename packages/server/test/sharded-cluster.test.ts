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
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { generate } from './compatibility/differential/generator.ts';
import { runChannels } from './compatibility/differential/runner.ts';
import { InProcessCluster } from './support/in-process.ts';

const patience = { timeoutMs: 30_000 };
const settings = { 'bcrypt-cost': '4', 'auth-token-ttl': '100000' };

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

const moving = { nodes: 3, shards: 6, churns: true, keepsOrderLeader: false, isPatient: true };

test('three members answer what one does, while their shards are split, merged and led by others', async () => {
  const [one, many] = await Promise.all([
    InProcessCluster.start(1, settings, null),
    InProcessCluster.start(3, settings, moving),
  ]);
  try {
    const { difference, operations } = await runChannels(generate(3, 120), one.channel(0), many.spread(3));
    expect(difference).toBeNull();
    expect(operations).toBe(120);
    await expectAgreement(many);
  } finally {
    await Promise.all([one.remove(), many.remove()]);
  }
  // Its witness has seen that every revision was written by something.
  expect(many.churn?.revisions).toBeGreaterThan(30);
  expect(many.churn?.requests['txn several']).toBeGreaterThan(5);
}, 300_000);
