import type { Logger, Platform } from '@flotilla/platform';
import { KV, PutRequest, PutResponse, type ServerCall, unary, type UnaryMethod } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { limits } from '../limits.ts';
import { SlowRequests } from './slow-requests.ts';

const call: ServerCall = {
  path: '/etcdserverpb.KV/Put',
  metadata: {},
  peer: { remote: { host: '10.0.0.1', port: 7 }, identity: null },
  timeoutMs: null,
  cancelled: null,
  onCancelled: () => undefined,
};

const request = PutRequest.encode(PutRequest.create({ key: Uint8Array.of(1), value: new Uint8Array(9) }));

/** Requests that take so long each, and what was logged of them. */
async function logged(tookMs: number, requests: number): Promise<unknown[]> {
  const lines: unknown[] = [];
  let nowMs = 0;
  const log = {
    warn: (message: string, fields: unknown) => lines.push([message, fields]),
  } as unknown as Logger;
  const slow = new SlowRequests({ now: () => nowMs, log } as Platform, 300);
  const [put] = slow.watched([
    unary(KV.methods.Put, () => {
      nowMs += tookMs;
      return Promise.resolve(PutResponse.empty);
    }),
  ]) as [UnaryMethod];
  for (let i = 0; i < requests; i += 1) await put.handle(request, call);
  return lines;
}

test('a slow unary request is logged without what it has in it', async () => {
  expect(await logged(300, 1)).toEqual([]);
  expect(await logged(301.5, 1)).toEqual([
    [
      'request stats',
      {
        'time spent': '301.500ms',
        remote: '10.0.0.1:7',
        'response type': '/etcdserverpb.KV/Put',
        'request size': request.length,
      },
    ],
  ]);
});

test('of a crowd so many are logged in a second', async () => {
  let lines = 0;
  const platform = { now: () => 0, log: { warn: () => (lines += 1) } } as unknown as Platform;
  const [put] = new SlowRequests(platform, -1).watched([
    unary(KV.methods.Put, () => Promise.resolve(PutResponse.empty)),
  ]) as [UnaryMethod];
  for (let i = 0; i < limits.slowRequestLines + 10; i += 1) await put.handle(request, call);
  expect(lines).toBe(limits.slowRequestLines);
});
