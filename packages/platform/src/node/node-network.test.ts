import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as rawConnect, createServer as rawServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isFlotillaError } from '../errors.ts';
import type { Address, Connection, Listener, Platform, TlsOptions } from '@flotilla/platform';
import { nodePlatform } from './index.ts';
import { limits } from './limits.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const fatal: Error[] = [];
const platform: Platform = nodePlatform({
  nodeName: 'test',
  logger: silent,
  onFatal: (error) => fatal.push(error),
});
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  expect(fatal.splice(0)).toEqual([]);
});

/** Collects what a connection tells its owner. */
class Ear {
  readonly connection: Connection;
  readonly received: number[] = [];
  drains = 0;
  closed: Error | null | undefined = undefined;
  #waiting: (() => void)[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
    cleanups.push(() => connection.destroy());
    connection.start({
      data: (chunk) => {
        for (const byte of chunk) this.received.push(byte);
        this.#wake();
      },
      drained: () => {
        this.drains += 1;
        this.#wake();
      },
      closed: (error) => {
        expect(this.closed).toBeUndefined();
        this.closed = error;
        this.#wake();
      },
    });
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

async function pair(
  tls?: {
    server: TlsOptions;
    client: TlsOptions;
  },
  address: Address = { host: '127.0.0.1', port: 0 },
): Promise<[Connection, Connection, Listener]> {
  let accepted: (connection: Connection) => void = () => {};
  const server = new Promise<Connection>((resolve) => (accepted = resolve));
  const listener = await platform.network.listen(
    address,
    tls === undefined ? {} : { tls: tls.server },
    (connection) => accepted(connection),
  );
  cleanups.push(() => listener.close());
  const client = await platform.network.connect(listener.address, {
    timeoutMs: 5000,
    ...(tls === undefined ? {} : { tls: tls.client }),
  });
  return [client, await server, listener];
}

function certificate(name: string, extra: Partial<TlsOptions> = {}): TlsOptions {
  const read = (file: string): string =>
    readFileSync(new URL(`../../test/certificates/${file}`, import.meta.url), 'utf8');
  return { certificate: read(`${name}.pem`), key: read(`${name}-key.pem`), ca: read('ca.pem'), ...extra };
}

test('bytes arrive in order, also those written before the other side started', async () => {
  const [client, server] = await pair();
  const clientEar = new Ear(client);
  client.write(new Uint8Array([1, 2]));
  client.write(new Uint8Array([3]));
  await new Promise((resolve) => setTimeout(resolve, 20));
  const serverEar = new Ear(server);
  await serverEar.until(() => serverEar.received.length === 3);
  expect(serverEar.received).toEqual([1, 2, 3]);
  server.write(new Uint8Array([9]));
  await clientEar.until(() => clientEar.received.length === 1);
  expect(server.remote.host).toBe('127.0.0.1');
  expect(client.identity).toBeNull();
});

test('close sends what is buffered, then both sides hear of an orderly end', async () => {
  const [client, server] = await pair();
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  const bytes = new Uint8Array(3 * limits.writeHighWaterMarkBytes).fill(7);
  client.write(bytes);
  client.close();
  expect(client.write(new Uint8Array([1]))).toBe(false);
  await serverEar.until(() => serverEar.closed !== undefined);
  expect(serverEar.received.length).toBe(bytes.length);
  expect(serverEar.closed).toBeNull();
  await clientEar.until(() => clientEar.closed !== undefined);
  expect(clientEar.closed).toBeNull();
});

test('destroy is a reset for the other side and an end for this one', async () => {
  const [client, server] = await pair();
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  client.destroy();
  await serverEar.until(() => serverEar.closed !== undefined);
  expect(isFlotillaError(serverEar.closed, 'FLOTILLA_CONNECTION_RESET')).toBe(true);
  await clientEar.until(() => clientEar.closed !== undefined);
  expect(clientEar.closed).toBeNull();
});

test('a Unix socket has no reset: destroyed by one side it ends at both', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
  cleanups.push(() => rmSync(directory, { recursive: true, force: true }));
  const [client, server] = await pair(undefined, { host: '', port: 0, path: join(directory, 'socket') });
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  client.destroy();
  await serverEar.until(() => serverEar.closed !== undefined);
  await clientEar.until(() => clientEar.closed !== undefined);
  expect(clientEar.closed).toBeNull();
});

test('a connection that is destroyed while it closes is over at once', async () => {
  const [client, server] = await pair();
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  client.write(new Uint8Array([1]));
  client.close();
  client.destroy();
  client.destroy();
  await clientEar.until(() => clientEar.closed !== undefined);
  await serverEar.until(() => serverEar.closed !== undefined);
  expect(clientEar.closed).toBeNull();
});

test('a connection that broke before its owner started tells it afterwards', async () => {
  const [client, server] = await pair();
  new Ear(client);
  client.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const ear = new Ear(server);
  expect(ear.closed).toBeUndefined();
  await ear.until(() => ear.closed !== undefined);
});

test('a full buffer answers false, and drained follows when the reader reads on', async () => {
  const [client, server] = await pair();
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  server.pause();
  let written = 0;
  while (client.write(new Uint8Array(256 * 1024))) written += 256 * 1024;
  written += 256 * 1024;
  expect(client.bufferedBytes).toBeGreaterThan(limits.writeHighWaterMarkBytes);
  expect(clientEar.drains).toBe(0);
  server.resume();
  await clientEar.until(() => clientEar.drains === 1);
  expect(client.bufferedBytes).toBe(0);
  await serverEar.until(() => serverEar.received.length === written);
});

test('a port in use, a foreign host and a dead port have codes of their own', async () => {
  const [, , listener] = await pair();
  await expect(platform.network.listen(listener.address, {}, () => {})).rejects.toMatchObject({
    code: 'FLOTILLA_ADDRESS_IN_USE',
  });
  await expect(platform.network.listen({ host: '203.0.113.1', port: 0 }, {}, () => {})).rejects.toMatchObject(
    { code: 'FLOTILLA_ADDRESS_UNAVAILABLE' },
  );
  await listener.close();
  await expect(platform.network.connect(listener.address, { timeoutMs: 5000 })).rejects.toMatchObject({
    code: 'FLOTILLA_CONNECT_REFUSED',
  });
});

test('a closed listener keeps its connections and frees its port at once', async () => {
  const [client, server, listener] = await pair();
  const ear = new Ear(server);
  await listener.close();
  const again = await platform.network.listen(listener.address, {}, () => {});
  await again.close();
  client.write(new Uint8Array([5]));
  await ear.until(() => ear.received.length === 1);
});

test('a TLS handshake that gets no answer ends with the time-out', async () => {
  const mute = rawServer(() => {});
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => mute.close());
  const { port } = mute.address() as AddressInfo;
  await expect(
    platform.network.connect({ host: '127.0.0.1', port }, { timeoutMs: 30, tls: certificate('n1') }),
  ).rejects.toMatchObject({ code: 'FLOTILLA_CONNECT_FAILED' });
});

test('with TLS both sides know each other and agree on a protocol', async () => {
  const [client, server] = await pair({
    server: certificate('n1', { requireClientCertificate: true, protocols: ['flotilla/2', 'flotilla/1'] }),
    client: certificate('n2', { protocols: ['flotilla/1'] }),
  });
  expect(server.identity).toMatchObject({
    commonName: 'n2',
    subjectAlternativeNames: ['n2.example', '127.0.0.1'],
  });
  // Its own and the authority's.
  expect(server.identity?.serialNumbers).toHaveLength(2);
  expect(client.identity?.commonName).toBe('n1');
  expect(client.protocol).toBe('flotilla/1');
  expect(server.protocol).toBe('flotilla/1');
  const [clientEar, serverEar] = [new Ear(client), new Ear(server)];
  client.write(new Uint8Array([1, 2, 3]));
  await serverEar.until(() => serverEar.received.length === 3);
  client.close();
  await serverEar.until(() => serverEar.closed !== undefined);
  await clientEar.until(() => clientEar.closed !== undefined);
  expect(clientEar.closed).toBeNull();
});

test('a server that the authority did not sign is not connected to', async () => {
  await expect(pair({ server: certificate('stranger'), client: certificate('n2') })).rejects.toMatchObject({
    code: 'FLOTILLA_TLS_UNTRUSTED',
  });
});

test('a server whose certificate names another host is connected to only by who asks for that', async () => {
  const listener = await platform.network.listen(
    { host: 'localhost', port: 0 },
    { tls: certificate('n1') },
    (connection) => cleanups.push(() => connection.destroy()),
  );
  cleanups.push(() => listener.close());
  await expect(
    platform.network.connect(listener.address, { timeoutMs: 5000, tls: certificate('n2') }),
  ).rejects.toMatchObject({ code: 'FLOTILLA_TLS_UNTRUSTED' });
  const client = await platform.network.connect(listener.address, {
    timeoutMs: 5000,
    tls: certificate('n2', { verifyHost: false }),
  });
  cleanups.push(() => client.destroy());
  expect(client.identity?.commonName).toBe('n1');
});

test('a listener that was given another certificate shows it from then on', async () => {
  const [before, , listener] = await pair({ server: certificate('n1'), client: certificate('n2') });
  cleanups.push(() => before.destroy());
  expect(() => listener.renew?.({ certificate: 'none', key: 'none' })).toThrow(/certificate or key/);
  listener.renew?.(certificate('n2'));
  const after = await platform.network.connect(listener.address, {
    timeoutMs: 5000,
    tls: certificate('n2'),
  });
  cleanups.push(() => after.destroy());
  expect([before.identity?.commonName, after.identity?.commonName]).toEqual(['n1', 'n2']);
});

test('a listener asks before every handshake which certificate is in force', async () => {
  let current = certificate('n1');
  const listener = await platform.network.listen(
    { host: '127.0.0.1', port: 0 },
    { tls: () => current },
    (connection) => cleanups.push(() => connection.destroy()),
  );
  cleanups.push(() => listener.close());
  const names: (string | undefined)[] = [];
  for (const name of ['n1', 'n2', 'n1']) {
    current = certificate(name);
    const tls = certificate('n2');
    const connection = await platform.network.connect(listener.address, { timeoutMs: 5000, tls });
    cleanups.push(() => connection.destroy());
    names.push(connection.identity?.commonName);
  }
  expect(names).toEqual(['n1', 'n2', 'n1']);
});

test('a dialer that verifies nothing is let in and believes nobody', async () => {
  const [client] = await pair({
    server: certificate('stranger'),
    client: certificate('n2', { verifyPeer: false, verifyHost: false }),
  });
  expect(client.identity).toBeNull();
});

test('two sides without a common version of TLS do not connect', async () => {
  await expect(
    pair({
      server: certificate('n1', { minVersion: 'TLSv1.3' }),
      client: certificate('n2', { maxVersion: 'TLSv1.2' }),
    }),
  ).rejects.toMatchObject({ code: 'FLOTILLA_CONNECT_FAILED' });
});

test('a client without a certificate is refused where one is required, and garbage does no harm', async () => {
  const accepted: Connection[] = [];
  const tls = certificate('n1', { requireClientCertificate: true });
  const listener = await platform.network.listen({ host: '127.0.0.1', port: 0 }, { tls }, (c) =>
    accepted.push(c),
  );
  cleanups.push(() => listener.close());
  const stranger = await platform.network.connect(listener.address, {
    timeoutMs: 5000,
    tls: certificate('stranger'),
  });
  // TLS 1.3 lets the client finish first; the refusal comes as the end of the stream.
  const ear = new Ear(stranger);
  await ear.until(() => ear.closed !== undefined);
  const garbage = rawConnect(listener.address.port, '127.0.0.1');
  garbage.on('error', () => {});
  garbage.write('GET / HTTP/1.1\r\n\r\n');
  await new Promise((resolve) => garbage.once('close', resolve));
  expect(accepted).toEqual([]);
});

test('a key that does not fit its certificate is refused with a clear code', async () => {
  const tls = { certificate: certificate('n1').certificate, key: certificate('n2').key };
  await expect(
    platform.network.listen({ host: '127.0.0.1', port: 0 }, { tls }, () => {}),
  ).rejects.toMatchObject({
    code: 'FLOTILLA_TLS_INVALID',
  });
  await expect(
    platform.network.connect({ host: '127.0.0.1', port: 1 }, { tls, timeoutMs: 100 }),
  ).rejects.toMatchObject({ code: 'FLOTILLA_TLS_INVALID' });
});
