import {
  bidi,
  etcdErrors,
  KV,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  type ServerCall,
  type ServerStream,
  type StreamMethod,
  unary,
  type UnaryMethod,
  Watch,
  WatchResponse,
} from '@flotilla/wire';
import { expect, test } from 'vitest';
import { CallMeter, statusNames } from './call-meter.ts';
import { callMetrics } from './call-metrics.ts';
import { Registry } from './registry.ts';

const call: ServerCall = {
  path: '',
  metadata: { 'client-api-version': '3.7' },
  peer: { remote: { host: '', port: 0 }, identity: null },
  timeoutMs: null,
  cancelled: null,
  onCancelled: () => undefined,
};

function meter(extensive = false) {
  let nowMs = 0;
  return new CallMeter({ extensive, now: () => (nowMs += 250) });
}

function lines(meter: CallMeter, pattern: RegExp): string[] {
  return new Registry(callMetrics(meter))
    .render()
    .split('\n')
    .filter((line) => pattern.test(line));
}

test('unary calls are counted by status, with their bytes, however they answer', async () => {
  const calls = meter();
  const [put, range] = calls.metered([
    unary(KV.methods.Put, () => Promise.resolve(PutResponse.empty)),
    unary(KV.methods.Range, (request) => {
      if (request.limit === 1) throw etcdErrors.emptyKey;
      if (request.limit === 2) return Promise.reject(new Error('a bug'));
      return RangeResponse.create({ count: 5 });
    }),
  ]) as UnaryMethod[];
  const request = PutRequest.encode(PutRequest.create({ key: Uint8Array.of(1, 2, 3) }));
  await put?.handle(request, call);
  const answer = (limit: number) => range?.handle(RangeRequest.encode(RangeRequest.create({ limit })), call);
  expect(answer(0)).toBeInstanceOf(Uint8Array);
  expect(() => answer(1)).toThrow(etcdErrors.emptyKey);
  await expect(answer(2)).rejects.toThrow('a bug');
  expect(lines(calls, /_handled_total\{.*[1-9]$/)).toEqual([
    'grpc_server_handled_total{grpc_code="OK",grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
    'grpc_server_handled_total{grpc_code="OK",grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
    'grpc_server_handled_total{grpc_code="Unknown",grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
    'grpc_server_handled_total{grpc_code="InvalidArgument",grpc_method="Range",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
  ]);
  expect(calls.receivedBytes).toBe(request.length + 0 + 2 + 2);
  expect(calls.sentBytes).toBe(2);
  expect(lines(calls, /^etcd_server_client_requests_total/)).toEqual([
    'etcd_server_client_requests_total{client_api_version="3.7",type="unary"} 4',
  ]);
});

test('streams are counted with each of their messages', async () => {
  const calls = meter();
  const [watch] = calls.metered([
    bidi(Watch.methods.Watch, async (stream) => {
      while ((await stream.read()) !== null) stream.write(WatchResponse.create({ watchId: 1 }));
      throw etcdErrors.noLeader;
    }),
  ]) as StreamMethod[];
  const requests = [new Uint8Array(0), new Uint8Array(0)];
  const stream: ServerStream<Uint8Array, Uint8Array> = {
    ...call,
    read: () => Promise.resolve(requests.shift() ?? null),
    write: () => true,
    drained: () => Promise.resolve(),
    bufferedBytes: 0,
  };
  await expect(watch?.handle(stream)).rejects.toBe(etcdErrors.noLeader);
  expect(calls.methods[0]).toMatchObject({ type: 'bidi_stream', started: 1, received: 2, sent: 2 });
  expect(calls.methods[0]?.handled[statusNames.indexOf('Unavailable')]).toBe(1);
});

test('times are there when they are asked for', async () => {
  const calls = meter(true);
  const [put] = calls.metered([unary(KV.methods.Put, () => PutResponse.empty)]) as UnaryMethod[];
  await put?.handle(new Uint8Array(0), call);
  expect(lines(calls, /handling_seconds_(sum|count)|le="0.25"/)).toEqual([
    'grpc_server_handling_seconds_bucket{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary",le="0.25"} 1',
    'grpc_server_handling_seconds_sum{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 0.25',
    'grpc_server_handling_seconds_count{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"} 1',
  ]);
  expect(lines(meter(), /handling_seconds/)).toEqual([]);
});

test('clients that name endless versions are counted together', async () => {
  const calls = meter();
  const [put] = calls.metered([unary(KV.methods.Put, () => PutResponse.empty)]) as UnaryMethod[];
  for (let i = 0; i < 1000; i += 1) {
    await put?.handle(new Uint8Array(0), { ...call, metadata: { 'client-api-version': String(i) } });
  }
  expect(calls.requests.unary.size).toBe(32);
});

test('the names of statuses are those of Go', () => {
  expect(statusNames).toEqual([
    'OK',
    'Canceled',
    'Unknown',
    'InvalidArgument',
    'DeadlineExceeded',
    'NotFound',
    'AlreadyExists',
    'PermissionDenied',
    'ResourceExhausted',
    'FailedPrecondition',
    'Aborted',
    'OutOfRange',
    'Unimplemented',
    'Internal',
    'Unavailable',
    'DataLoss',
    'Unauthenticated',
  ]);
});
