import { connect } from 'node:net';
import { once } from 'node:events';
import type { Address, Connection, Listener } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { tcp } from '@flotilla/raft';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { limits } from '../limits.ts';
import { PeerPort } from './peer-port.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const platform = nodePlatform({
  nodeName: 'n1',
  logger: silent,
  onFatal: (error) => {
    throw error;
  },
});
const port = new PeerPort(platform, tcp());
const others: string[] = [];
let listener: Listener;
let address: Address;

beforeAll(async () => {
  listener = await port.transport(platform).listen({ host: '127.0.0.1', port: 0 }, takeOther);
  address = listener.address;
  port.calls.handle('/echo', (body) => body);
  port.calls.handle('/fails', () => Promise.reject(new Error('no such thing')));
  port.calls.handle('/never', () => new Promise(() => undefined));
});

afterAll(async () => {
  port.close();
  await listener.close();
});

/** Stands for Raft's host. */
function takeOther(connection: Connection): void {
  connection.start({
    data: (chunk) => {
      others.push(new TextDecoder().decode(chunk));
      connection.write(new TextEncoder().encode('host'));
    },
    drained: () => undefined,
    closed: () => undefined,
  });
}

function ask(path: string, body: Uint8Array, timeoutMs = 5_000): Promise<Uint8Array> {
  return port.calls.call(address, path, body, timeoutMs);
}

async function firstAnswerTo(...writes: readonly string[]): Promise<string> {
  const socket = connect(address.port, address.host);
  for (const text of writes) {
    await new Promise((resolve) => socket.write(text, resolve));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString();
}

test('a call is answered by the handler of its path', async () => {
  expect(await ask('/echo', Uint8Array.of(1, 2, 3))).toEqual(Uint8Array.of(1, 2, 3));
});

test('a call and its answer may be large', async () => {
  const body = new Uint8Array(3 * 1024 * 1024).map((_, i) => i);
  const answer = await ask('/echo', body);
  expect(Buffer.compare(answer, body)).toBe(0);
});

test('what is too large is refused by the side that reads it', async () => {
  const call = ask('/echo', new Uint8Array(limits.peerCallBytes + 1));
  await expect(call).rejects.toMatchObject({ code: 'FLOTILLA_PEER_CALL_FAILED' });
});

test('the error of a handler reaches the caller as text', async () => {
  await expect(ask('/fails', new Uint8Array(0))).rejects.toMatchObject({
    code: 'FLOTILLA_PEER_CALL_FAILED',
    message: expect.stringContaining('no such thing') as string,
  });
});

test('an unknown path has a code of its own', async () => {
  await expect(ask('/later', new Uint8Array(0))).rejects.toMatchObject({
    code: 'FLOTILLA_PEER_CALL_UNKNOWN',
  });
});

test('a call that is not answered in time fails', async () => {
  await expect(ask('/never', new Uint8Array(0), 30)).rejects.toMatchObject({
    code: 'FLOTILLA_PEER_CALL_FAILED',
    message: expect.stringContaining('in time') as string,
  });
});

test('a member that is not there is a call that failed', async () => {
  const call = port.calls.call({ host: '127.0.0.1', port: 1 }, '/echo', new Uint8Array(0), 1_000);
  await expect(call).rejects.toMatchObject({ code: 'FLOTILLA_PEER_CALL_FAILED' });
});

test('every other connection is the host’s, with all of its bytes', async () => {
  others.length = 0;
  expect(await firstAnswerTo('FLOTPEER and more')).toBe('host');
  expect(others.join('')).toBe('FLOTPEER and more');
  others.length = 0;
  expect(await firstAnswerTo('FL', 'OTP')).toBe('host');
  expect(others.join('')).toBe('FLOTP');
  others.length = 0;
  expect(await firstAnswerTo('GET / HTTP/1.1\r\n\r\n')).toBe('host');
  expect(others.join('')).toContain('GET /');
});

test('a damaged call is hung up on', async () => {
  const socket = connect(address.port, address.host);
  socket.on('error', () => undefined);
  socket.write('FLOTCALL\u0000\u0000\u0000\u0001\u0000\u0000\u0000\u0000\u0001\u0000\u0000\u0000x');
  await new Promise((resolve) => socket.once('close', resolve));
  expect(await ask('/echo', Uint8Array.of(7))).toEqual(Uint8Array.of(7));
});
