import { KV, RangeRequest, callUnary } from '@flotilla/wire';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { benchFill } from '../src/cli/bench/fill.ts';
import { KEY_PREFIX, prefixEnd } from '../src/cli/bench/keys.ts';
import { benchPauses } from '../src/cli/bench/pauses.ts';
import type { BenchSettings } from '../src/cli/bench/settings.ts';
import { benchWatchers } from '../src/cli/bench/watchers.ts';
import { InProcessCluster } from './support/in-process.ts';

let cluster: InProcessCluster;
let settings: BenchSettings;

beforeAll(async () => {
  cluster = await InProcessCluster.start(1);
  settings = {
    endpoints: cluster.endpoints,
    clients: 8,
    conns: 4,
    total: 60,
    seconds: Number.POSITIVE_INFINITY,
    rate: 0,
    keySize: 16,
    valueSize: 100,
    keySpace: 250,
    limit: 0,
    countOnly: false,
    serializable: false,
    serverPids: [],
    batch: 100,
    watches: 40,
    prefixes: 10,
  };
});

afterAll(async () => {
  await cluster.remove();
});

test('fill writes every key once', async () => {
  expect(await benchFill(settings)).toMatchObject({ keys: 250, total: 3, errors: 0 });
  const key = Buffer.from(KEY_PREFIX);
  const request = RangeRequest.create({ key, rangeEnd: prefixEnd() });
  const { count, kvs } = await callUnary(cluster.channel(0), KV.methods.Range, request);
  expect(count).toBe(250);
  expect(new Set(kvs.map(({ version }) => version))).toEqual(new Set([1]));
  expect(kvs.every(({ value }) => value.length === 100)).toBe(true);
});

test('pauses reads while it compacts and takes a snapshot', async () => {
  const report = await benchPauses(settings);
  expect(report).toMatchObject({ operation: 'pauses', errors: 0, error: null, overwritten: 25 });
  expect(report['snapshotBytes']).toBeGreaterThan(250 * 100);
  expect(report['range']).toMatchObject({ errors: 0, total: expect.any(Number) });
  expect(report.max).toBeGreaterThan(0);
  const old = RangeRequest.create({ key: Buffer.from(KEY_PREFIX), revision: 2 });
  await expect(callUnary(cluster.channel(0), KV.methods.Range, old)).rejects.toThrow('compacted');
});

test('watchers finds that each watch has seen the puts under its prefix and no others', async () => {
  expect(await benchWatchers(settings)).toMatchObject({
    operation: 'watchers',
    total: 60,
    events: 240,
    exactWatches: 40,
    wrongWatches: 0,
    unjudgedWatches: 0,
    errors: 0,
    error: null,
  });
});
