import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import * as http2 from 'node:http2';
import * as net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import type { Address, PeerIdentity } from '@flotilla/platform';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { certificates } from '../../test/certificates.ts';
import {
  KV,
  KeyValue,
  PutRequest,
  PutResponse,
  RpcError,
  Services,
  Status,
  Watch,
  WatchRequest,
  WatchResponse,
  bidi,
  callUnary,
  etcdErrors,
  frameOf,
  unary,
} from '../index.ts';
import type { RpcServer } from '../index.ts';
import { listenHttp2, openHttp2Channel } from './index.ts';

const KEY = Uint8Array.of(107);
const PUT = KV.methods.Put.path;

let identity: PeerIdentity | null = null;

const services = new Services([
  unary(KV.methods.Put, (request, call) => {
    identity = call.peer.identity;
    if (request.lease !== 0n) throw etcdErrors.leaseNotFound;
    return PutResponse.create({
      prevKv: KeyValue.create({ key: request.key, value: request.value.slice() }),
    });
  }),
  bidi(Watch.methods.Watch, async (stream) => {
    for (let request = await stream.read(); request !== null; request = await stream.read()) {
      const id = request.requestUnion?.case === 'cancelRequest' ? request.requestUnion.value.watchId : 0;
      if (id < 0) throw new RpcError(Status.CANCELLED, 'etcdserver: watch canceled');
      stream.write(WatchResponse.create({ watchId: id }));
    }
  }),
]);

const answerHttp: http.RequestListener = (request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' }).end(`${request.method} ${request.url}`);
};

describe('the server of gRPC and HTTP', () => {
  let server: RpcServer;
  let url: string;

  beforeEach(async () => {
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, services, http: answerHttp });
    url = `127.0.0.1:${server.address.port}`;
  });

  afterEach(() => server.destroy());

  test('answers HTTP/1 and gRPC on one port', async () => {
    expect(await (await fetch(`http://${url}/health`)).text()).toBe('GET /health');
    expect(await putThere(url)).toEqual(KEY);
  });

  test('answers HTTP/1 in any chunks, and pipelined', async () => {
    const text = await talk(server.address.port, [
      'GE',
      'T /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HT',
      'TP/1.1\r\nhost: x\r\n\r\n',
    ]);
    expect(text).toContain('GET /a');
    expect(text).toContain('GET /b');
  });

  test('ends a connection of garbage and goes on with the others', async () => {
    const channel = openHttp2Channel({ endpoints: [url] });
    await callUnary(channel, KV.methods.Put, PutRequest.create());
    const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
    const settings = '\u0000\u0000\u0000\u0004\u0000\u0000\u0000\u0000\u0000';
    const garbage = 'x'.repeat(100);
    for (const parts of [
      ['\u0000\u0001\u00ff'],
      ['NOT HTTP\r\n\r\n'],
      [preface, garbage],
      [preface + settings, garbage],
      ['PRI * HTTP/2.0\r\n\r\nSN'],
    ]) {
      await talk(server.address.port, parts);
    }
    const response = await callUnary(channel, KV.methods.Put, PutRequest.create({ key: KEY }));
    expect(response.prevKv?.key).toEqual(KEY);
    channel.close();
  });

  test.each([
    [
      'another content type',
      { 'content-type': 'text/plain' },
      415,
      '3',
      'invalid gRPC request content-type "text/plain"',
    ],
    ['no content type', { 'content-type': undefined }, 415, '3', 'invalid gRPC request content-type ""'],
    [
      'a content type that only begins alike',
      { 'content-type': 'application/grpcx' },
      415,
      '3',
      'invalid gRPC request content-type "application/grpcx"',
    ],
    [
      'another HTTP method',
      { ':method': 'GET' },
      405,
      '13',
      'Received a HEADERS frame with :method "GET" which should be POST',
    ],
    [
      'a malformed time-out',
      { 'grpc-timeout': '5 seconds' },
      400,
      '13',
      'malformed grpc-timeout: "5 seconds"',
    ],
    ['an unknown service', { ':path': '/a.B/C' }, 200, '12', 'unknown service a.B'],
    [
      'an unknown method',
      { ':path': '/etcdserverpb.KV/C' },
      200,
      '12',
      'unknown method C for service etcdserverpb.KV',
    ],
    ['a path that names no method', { ':path': '/nothing' }, 200, '12', 'malformed method name: "/nothing"'],
    [
      'an unknown compression',
      { 'grpc-encoding': 'br' },
      200,
      '12',
      'grpc: Decompressor is not installed for grpc-encoding "br"',
    ],
  ])('refuses %s as grpc-go does', async (_, headers, httpStatus, status, message) => {
    const answer = await request(url, headers, [frameOf(new Uint8Array(0))]);
    expect(answer.headers[':status']).toBe(httpStatus);
    expect(answer.status).toBe(status);
    expect(answer.message).toBe(message);
  });

  test('accepts what may follow application/grpc', async () => {
    for (const contentType of ['application/grpc+proto', 'application/grpc;charset=utf-8']) {
      const answer = await request(url, { 'content-type': contentType }, [frameOf(new Uint8Array(0))]);
      expect(answer.status).toBe('0');
    }
  });

  test('reads gzip, whole or in a mixture', async () => {
    const plain = PutRequest.encode(PutRequest.create({ key: KEY, value: new Uint8Array(5_000) }));
    const answer = await request(url, { 'grpc-encoding': 'gzip' }, [compressed(plain)]);
    expect(answer.status).toBe('0');
    expect(PutResponse.decode(answer.body.subarray(5)).prevKv?.value.length).toBe(5_000);
    expect((await request(url, { 'grpc-encoding': 'gzip' }, [frameOf(plain)])).status).toBe('0');
  });

  test('refuses compression that was not announced, broken, or a bomb', async () => {
    const plain = PutRequest.encode(PutRequest.create({ key: KEY }));
    const unannounced = await request(url, {}, [compressed(plain)]);
    expect(unannounced).toMatchObject({
      status: '13',
      message: 'grpc: compressed flag set with identity or empty encoding',
    });
    const broken = frameOf(Uint8Array.of(1, 2, 3));
    broken[0] = 1;
    expect((await request(url, { 'grpc-encoding': 'gzip' }, [broken])).status).toBe('13');
    const bomb = await request(url, { 'grpc-encoding': 'gzip' }, [compressed(new Uint8Array(50_000_000))]);
    expect(bomb.status).toBe('8');
    expect(bomb.message).toContain('larger than max');
  });

  test('refuses a message whose length says too much before it comes', async () => {
    const answer = await request(url, {}, [Uint8Array.of(0, 0x7f, 0xff, 0xff, 0xff)]);
    expect(answer).toMatchObject({
      status: '8',
      message: 'grpc: received message larger than max (2147483647 vs. 2097152)',
    });
  });

  test('refuses a request that ends before its message does', async () => {
    expect(await request(url, {}, [])).toMatchObject({ status: '13', message: 'unexpected EOF' });
    expect((await request(url, {}, [Uint8Array.of(0, 0, 0, 0, 9, 1)])).status).toBe('13');
  });

  test('answers pings', async () => {
    const session = http2.connect(`http://${url}`);
    await new Promise((resolve) => session.once('connect', resolve));
    const payload = Buffer.from('12345678');
    const echoed = await new Promise((resolve) =>
      session.ping(payload, (_error, _ms, echo) => resolve(echo)),
    );
    expect(echoed).toEqual(payload);
    session.destroy();
  });

  test('serves many calls at a time on one connection', async () => {
    const channel = openHttp2Channel({ endpoints: [url] });
    const responses = await Promise.all(
      Array.from({ length: 3_000 }, () =>
        callUnary(channel, KV.methods.Put, PutRequest.create({ key: KEY })),
      ),
    );
    expect(responses.every((response) => response.prevKv?.key[0] === KEY[0])).toBe(true);
    channel.close();
  });

  test('closes idle connections when it is closed', async () => {
    const silent = net.connect(server.address.port, '127.0.0.1');
    silent.on('error', () => {});
    await new Promise((resolve) => silent.once('connect', resolve));
    const channel = openHttp2Channel({ endpoints: [url] });
    await callUnary(channel, KV.methods.Put, PutRequest.create());
    await server.close();
    silent.destroy();
    channel.close();
  });

  test('listens at a Unix socket', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    const socketPath = join(directory, 'socket');
    const local = await listenHttp2({
      address: { host: '', port: 0 },
      socketPath,
      services,
      http: answerHttp,
    });
    const answer = await new Promise<string>((resolve, reject) => {
      http
        .get({ socketPath, path: '/version' }, (response) => {
          response.setEncoding('utf8').once('data', resolve);
        })
        .once('error', reject);
    });
    expect(answer).toBe('GET /version');
    await local.destroy();
    rmSync(directory, { recursive: true });
  });

  test('says which address is taken', async () => {
    const again = listenHttp2({ address: server.address, services });
    await expect(again).rejects.toMatchObject({ code: 'FLOTILLA_ADDRESS_IN_USE' });
  });
});

describe('with TLS', () => {
  const tls = { certificate: certificates.server, key: certificates.serverKey, ca: certificates.authority };
  let server: RpcServer;

  afterEach(() => server.destroy());

  test('HTTP/2 and HTTP/1 share the port, and plain requests of either are answered', async () => {
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, tls, services, http: answerHttp });
    const url = `https://127.0.0.1:${server.address.port}`;
    expect(await putThere(url, { ca: certificates.authority })).toEqual(KEY);
    expect(identity).toBeNull();
    const session = http2.connect(url, { ca: certificates.authority });
    const stream = session.request({ ':path': '/health' });
    const chunks: Buffer[] = await stream.toArray();
    expect(Buffer.concat(chunks).toString()).toBe('GET /health');
    session.destroy();
  });

  test('a client certificate tells who calls', async () => {
    const required = { ...tls, requireClientCertificate: true };
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, tls: required, services });
    const url = `https://127.0.0.1:${server.address.port}`;
    const alice = {
      certificate: certificates.client,
      key: certificates.clientKey,
      ca: certificates.authority,
    };
    expect(await putThere(url, alice)).toEqual(KEY);
    expect(identity).toEqual({
      commonName: 'alice',
      subjectAlternativeNames: ['alice'],
      serialNumbers: ['08', '05'],
    });
    const nobody = putThere(url, { ca: certificates.authority });
    await expect(nobody).rejects.toMatchObject({ status: Status.UNAVAILABLE });
  });

  test('TLS and cleartext do not meet: either is told to the log and goes away', async () => {
    const reasons: string[] = [];
    const rejected = (_remote: Address, reason: string): void => void reasons.push(reason);
    const address = { host: '127.0.0.1', port: 0 };
    server = await listenHttp2({ address, tls, services, rejected });
    const plain = `http://127.0.0.1:${server.address.port}`;
    await expect(putThere(plain)).rejects.toMatchObject({ status: Status.UNAVAILABLE });
    expect(reasons.splice(0)).toEqual(['first record does not look like a TLS handshake']);
    const open = await listenHttp2({ address, services, rejected });
    const secure = `https://127.0.0.1:${open.address.port}`;
    await expect(putThere(secure, { ca: certificates.authority })).rejects.toMatchObject({
      status: Status.UNAVAILABLE,
    });
    expect(reasons.splice(0)).toEqual(['a TLS handshake where TLS is not served']);
    await open.destroy();
    // Neither has done any harm.
    const here = `https://127.0.0.1:${server.address.port}`;
    expect(await putThere(here, { ca: certificates.authority })).toEqual(KEY);
  });

  test('one port serves TLS and cleartext where both were asked for', async () => {
    server = await listenHttp2({
      address: { host: '127.0.0.1', port: 0 },
      tls,
      cleartext: true,
      services,
      http: answerHttp,
    });
    const { port } = server.address;
    expect(await putThere(`https://127.0.0.1:${port}`, { ca: certificates.authority })).toEqual(KEY);
    expect(await putThere(`http://127.0.0.1:${port}`)).toEqual(KEY);
    expect(await (await fetch(`http://127.0.0.1:${port}/health`)).text()).toBe('GET /health');
  });

  test('the owner of a good certificate may be refused, and no other is asked about', async () => {
    const reasons: string[] = [];
    server = await listenHttp2({
      address: { host: '127.0.0.1', port: 0 },
      tls,
      services,
      refuse: ({ commonName }) => `${commonName} is not welcome`,
      rejected: (_remote, reason) => void reasons.push(reason),
    });
    const url = `https://127.0.0.1:${server.address.port}`;
    const alice = {
      certificate: certificates.client,
      key: certificates.clientKey,
      ca: certificates.authority,
    };
    await expect(putThere(url, alice)).rejects.toMatchObject({ status: Status.UNAVAILABLE });
    expect(reasons).toContain('alice is not welcome');
    expect(await putThere(url, { ca: certificates.authority })).toEqual(KEY);
  });

  test('a handshake under way does not keep a server that is destroyed', async () => {
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, tls, services });
    const socket = net.connect(server.address.port, '127.0.0.1');
    socket.on('error', () => undefined);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    // The header of a record whose content never comes.
    socket.write(Uint8Array.of(0x16, 3, 1, 1, 0));
    const other = net.connect(server.address.port, '127.0.0.1');
    await new Promise((resolve) => other.once('connect', resolve));
    other.destroy();
    await putThere(`https://127.0.0.1:${server.address.port}`, { ca: certificates.authority });
    await server.destroy();
    await closed;
  });

  test('a certificate that cannot be used is refused at the start', async () => {
    server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, services });
    const broken = listenHttp2({
      address: { host: '127.0.0.1', port: 0 },
      tls: { ...tls, key: 'x' },
      services,
    });
    await expect(broken).rejects.toMatchObject({ code: 'FLOTILLA_TLS_INVALID' });
  });
});

describe('with grpc-js at the other end', () => {
  const identityOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

  test('its client calls our server', async () => {
    const server = await listenHttp2({ address: { host: '127.0.0.1', port: 0 }, services });
    const client = new grpc.Client(`127.0.0.1:${server.address.port}`, grpc.credentials.createInsecure());
    const put = (message: PutRequest): Promise<PutResponse> =>
      new Promise((resolve, reject) => {
        const done = (error: grpc.ServiceError | null, response?: Buffer): void =>
          error === null ? resolve(PutResponse.decode(response ?? Buffer.alloc(0))) : reject(error);
        client.makeUnaryRequest(
          PUT,
          (value: PutRequest) => identityOf(PutRequest.encode(value)),
          (bytes) => bytes,
          message,
          done,
        );
      });
    const value = new Uint8Array(300_000).fill(7);
    expect((await put(PutRequest.create({ value }))).prevKv?.value.length).toBe(value.length);
    await expect(put(PutRequest.create({ lease: 5n }))).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
      details: etcdErrors.leaseNotFound.message,
    });
    const stream = client.makeBidiStreamRequest(
      Watch.methods.Watch.path,
      (request: WatchRequest) => identityOf(WatchRequest.encode(request)),
      (bytes) => WatchResponse.decode(bytes),
    );
    for (const watchId of [1, 2, -1]) {
      stream.write(WatchRequest.create({ requestUnion: { case: 'cancelRequest', value: { watchId } } }));
    }
    const ids: number[] = [];
    stream.on('data', (response: WatchResponse) => ids.push(response.watchId));
    const error = await new Promise((resolve) => stream.once('error', resolve));
    expect(error).toMatchObject({ code: grpc.status.CANCELLED, details: 'etcdserver: watch canceled' });
    expect(ids).toEqual([1, 2]);
    client.close();
    await server.destroy();
  });

  test('our client calls its server', async () => {
    const server = new grpc.Server();
    server.addService(
      {
        Put: {
          path: PUT,
          requestStream: false,
          responseStream: false,
          requestSerialize: identityOf,
          requestDeserialize: (bytes: Buffer) => PutRequest.decode(bytes),
          responseSerialize: (response: PutResponse) => identityOf(PutResponse.encode(response)),
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        Put: (call: grpc.ServerUnaryCall<PutRequest, PutResponse>, done: grpc.sendUnaryData<PutResponse>) => {
          if (call.request.lease !== 0n) done({ code: grpc.status.NOT_FOUND, details: 'no «lease» 100 %' });
          else done(null, PutResponse.create({ prevKv: KeyValue.create({ key: call.request.key }) }));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const url = `127.0.0.1:${port}`;
    expect(await putThere(url)).toEqual(KEY);
    const channel = openHttp2Channel({ endpoints: [url] });
    const failing = callUnary(channel, KV.methods.Put, PutRequest.create({ lease: 1n }));
    await expect(failing).rejects.toMatchObject({ status: Status.NOT_FOUND, message: 'no «lease» 100 %' });
    const missing = channel.unary('/etcdserverpb.KV/Range', frameOf(new Uint8Array(0)));
    await expect(missing).rejects.toMatchObject({ status: Status.UNIMPLEMENTED });
    channel.close();
    server.forceShutdown();
  });
});

async function putThere(
  url: string,
  tls?: Parameters<typeof openHttp2Channel>[0]['tls'],
): Promise<Uint8Array | undefined> {
  const channel = openHttp2Channel({ endpoints: [url], ...(tls === undefined ? {} : { tls }) });
  try {
    const response = await callUnary(channel, KV.methods.Put, PutRequest.create({ key: KEY }), {
      timeoutMs: 5_000,
    });
    return response.prevKv?.key;
  } finally {
    channel.close();
  }
}

function compressed(message: Uint8Array): Uint8Array {
  const frame = frameOf(gzipSync(message));
  frame[0] = 1;
  return frame;
}

interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  readonly status: string | undefined;
  readonly message: string | undefined;
  readonly body: Buffer;
}

/** A request of node:http2 itself: any headers, any bytes. */
async function request(
  url: string,
  headers: http2.OutgoingHttpHeaders,
  chunks: readonly Uint8Array[],
): Promise<Answer> {
  const session = http2.connect(`http://${url}`);
  const all = {
    ':method': 'POST',
    ':path': PUT,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  };
  const stream = session.request(all, { endStream: all[':method'] === 'GET' });
  const received: { head: http2.IncomingHttpHeaders; trailers: http2.IncomingHttpHeaders } = {
    head: {},
    trailers: {},
  };
  stream.on('response', (head) => (received.head = head));
  stream.on('trailers', (trailers) => (received.trailers = trailers));
  stream.on('error', () => {});
  const body: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => body.push(chunk));
  for (const chunk of chunks) if (stream.writable) stream.write(chunk);
  if (stream.writable) stream.end();
  await new Promise((resolve) => stream.once('close', resolve));
  session.destroy();
  const last = { ...received.head, ...received.trailers };
  return {
    headers: received.head,
    status: last['grpc-status']?.toString(),
    message: last['grpc-message']?.toString(),
    body: Buffer.concat(body),
  };
}

/** Sends text in separate chunks and answers what came back until the server closed or fell silent. */
function talk(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    const finish = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    socket.on('error', finish);
    socket.on('close', finish);
    let delayMs = 0;
    for (const part of parts) {
      setTimeout(() => socket.write(Buffer.from(part, 'latin1')), delayMs);
      delayMs += 20;
    }
    setTimeout(finish, delayMs + 150);
  });
}
