import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  Event,
  EventType,
  KV,
  KeyValue,
  Maintenance,
  PutResponse,
  RangeResponse,
  Services,
  StatusResponse,
  Watch,
  WatchResponse,
  bidi,
  etcdErrors,
  unary,
} from '@flotilla/wire';
import type { PutRequest, RangeRequest, RpcServer } from '@flotilla/wire';
import { listenHttp2 } from '@flotilla/wire/node';
import { keySequence } from './keys.ts';
import { benchPut } from './put.ts';
import { benchRange } from './range.ts';
import type { BenchSettings } from './settings.ts';
import { benchWatch } from './watch.ts';
import { benchWatchers } from './watchers.ts';

/** As much of a store as a measurement needs, and a memory of what it was asked. */
class Endpoint {
  readonly puts: PutRequest[] = [];
  readonly ranges: RangeRequest[] = [];
  readonly #keys = new Map<string, KeyValue>();
  readonly #watchers = new Set<(response: WatchResponse) => void>();
  failEvery = 0;

  readonly services = new Services([
    unary(Maintenance.methods.Status, () => StatusResponse.create()),
    unary(KV.methods.Put, (request) => this.#put(request)),
    unary(KV.methods.Range, (request) => {
      this.ranges.push(request);
      const kv = this.#keys.get(Buffer.from(request.key).toString('hex'));
      return RangeResponse.create({ kvs: kv === undefined ? [] : [kv], count: this.#keys.size });
    }),
    bidi(Watch.methods.Watch, async (stream) => {
      await stream.read();
      const send = (response: WatchResponse): void => void stream.write(response);
      this.#watchers.add(send);
      send(WatchResponse.create({ created: true }));
      await stream.read().catch(() => null);
      this.#watchers.delete(send);
    }),
  ]);

  #put(request: PutRequest): PutResponse {
    this.puts.push({ ...request, key: request.key.slice(), value: request.value.slice() });
    if (this.failEvery > 0 && this.puts.length % this.failEvery === 0) throw etcdErrors.noLeader;
    const kv = KeyValue.create({ key: request.key.slice(), value: request.value.slice() });
    this.#keys.set(Buffer.from(request.key).toString('hex'), kv);
    const events = [Event.create({ type: EventType.PUT, kv })];
    for (const send of this.#watchers) send(WatchResponse.create({ events }));
    return PutResponse.create();
  }
}

describe('flotilla bench', () => {
  let endpoint: Endpoint;
  let server: RpcServer;
  let settings: BenchSettings;

  beforeAll(async () => {
    endpoint = new Endpoint();
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, services: endpoint.services });
    settings = {
      endpoints: [`http://127.0.0.1:${server.address.port}`],
      clients: 8,
      conns: 2,
      total: 200,
      seconds: Number.POSITIVE_INFINITY,
      rate: 0,
      keySize: 20,
      valueSize: 100,
      keySpace: 50,
      limit: 0,
      countOnly: false,
      serializable: false,
      serverPids: [process.pid],
      batch: 10,
      watches: 30,
      prefixes: 10,
    };
  });

  afterAll(() => server.destroy());

  test('put writes as many keys and values as it says, of the sizes it says', async () => {
    endpoint.puts.length = 0;
    const report = await benchPut(settings);
    expect(report).toMatchObject({
      operation: 'put',
      total: 200,
      errors: 0,
      error: null,
      clients: 8,
      connections: 2,
    });
    expect(endpoint.puts.length).toBe(200);
    expect(endpoint.puts.every(({ key, value }) => key.length === 20 && value.length === 100)).toBe(true);
    const keys = new Set(endpoint.puts.map(({ key }) => Buffer.from(key).toString()));
    expect(keys.size).toBeGreaterThan(40);
    expect(keys.size).toBeLessThanOrEqual(50);
    expect(report.throughput).toBeGreaterThan(0);
    expect(report.p50).toBeGreaterThan(0);
    expect(report.p50).toBeLessThanOrEqual(report.p99);
    expect(report.p99).toBeLessThanOrEqual(report.p999);
    expect(report.clientCpuPerRequestUs).toBeGreaterThan(0);
    expect(report.serverCpuPerRequestUs).not.toBeNull();
  });

  test('range fills the key space first, and every key that it reads is there', async () => {
    endpoint.ranges.length = 0;
    const report = await benchRange({ ...settings, serializable: true, keySpace: 20 });
    expect(report).toMatchObject({ operation: 'range', total: 200, errors: 0, serializable: true });
    expect(endpoint.ranges.length).toBe(200);
    const written = new Set(endpoint.puts.map(({ key }) => Buffer.from(key).toString()));
    expect(endpoint.ranges.every(({ key }) => written.has(Buffer.from(key).toString()))).toBe(true);
    expect(endpoint.ranges.every(({ serializable }) => serializable)).toBe(true);
  });

  test('range reads all keys with a limit, or counts them', async () => {
    endpoint.ranges.length = 0;
    await benchRange({ ...settings, total: 5, limit: 7, countOnly: true });
    expect(endpoint.ranges.length).toBe(5);
    for (const request of endpoint.ranges) {
      expect(request).toMatchObject({ limit: 7, countOnly: true });
      expect(Buffer.from(request.key).toString()).toBe('bench/');
      expect(Buffer.from(request.rangeEnd).toString()).toBe('bench0');
    }
  });

  test('watch counts every event at every watcher', async () => {
    const report = await benchWatch({ ...settings, clients: 5, total: 20 });
    expect(report).toMatchObject({ operation: 'watch', total: 100, writes: 20, errors: 0 });
  });

  test('watchers tells when watches see what they must not see', async () => {
    const load = { ...settings, watches: 2, prefixes: 2, total: 20 };
    const report = await benchWatchers(load);
    expect(report).toMatchObject({ exactWatches: 0, wrongWatches: 2, errors: 2, events: 40 });
    expect(report.error).toContain('a watch of prefix 0 saw 20 events instead of');
    const one = await benchWatchers({ ...load, prefixes: 1 });
    expect(one).toMatchObject({ exactWatches: 2, wrongWatches: 0, errors: 0, error: null });
  });

  test('failures are counted apart, with the first text', async () => {
    endpoint.failEvery = 4;
    endpoint.puts.length = 0;
    const report = await benchPut({ ...settings, clients: 1, conns: 1, total: 40 });
    endpoint.failEvery = 0;
    expect(report).toMatchObject({ total: 30, errors: 10, error: etcdErrors.noLeader.message });
  });

  test('a rate is kept, and the time that a request waited counts', async () => {
    const report = await benchPut({ ...settings, clients: 2, conns: 1, total: 50, rate: 500 });
    expect(report.seconds).toBeGreaterThanOrEqual(0.097);
    expect(report.throughput).toBeLessThanOrEqual(515);
  });

  test('it ends after the seconds that it was given', async () => {
    const report = await benchPut({ ...settings, total: Number.POSITIVE_INFINITY, seconds: 0.2 });
    expect(report.seconds).toBeGreaterThan(0.15);
    expect(report.total).toBeGreaterThan(0);
  });

  test('an endpoint that is not there has a clear error', async () => {
    await expect(benchPut({ ...settings, endpoints: ['http://127.0.0.1:1'] })).rejects.toMatchObject({
      code: 'FLOTILLA_BENCH_UNREACHABLE',
    });
  });
});

test('keys come in the same order in every measurement, and all of them come', () => {
  const first = keySequence(10);
  const second = keySequence(10);
  const order = Array.from({ length: 200 }, () => first());
  expect(order).toEqual(Array.from({ length: 200 }, () => second()));
  expect(new Set(order).size).toBe(10);
});
