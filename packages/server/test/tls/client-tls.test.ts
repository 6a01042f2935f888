import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authority, type Issued } from '../support/authority.ts';
import { etcdctl } from '../support/etcdctl.ts';
import { freePorts } from '../support/ports.ts';
import { requireProgram } from '../support/programs.ts';
import { Putter, type Running, startMember } from './tls-member.ts';

const withEtcdctl = requireProgram('etcdctl', 'etcdctl over TLS');

const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
const authority = new Authority(directory, 'ca');
const hosts = ['127.0.0.1'];

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The serial number of the certificate that is shown to a new connection. */
function shown(port: number, options: tls.ConnectionOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(new X509Certificate(socket.getPeerCertificate().raw).serialNumber);
      socket.destroy();
    });
  });
}

describe('a member that clients must show a certificate to', () => {
  let running: Running;
  let port: number;
  let server: Issued;
  let alice: Issued;
  let address: string;

  beforeAll(async () => {
    port = await freePorts(2);
    address = `127.0.0.1:${port}`;
    server = authority.issue('server', { hosts });
    alice = authority.issue('alice');
    running = await startMember(
      directory,
      'm',
      { client: `https://${address}`, peer: `http://127.0.0.1:${port + 1}` },
      {
        'cert-file': server.certificateFile,
        'key-file': server.keyFile,
        'trusted-ca-file': authority.file,
        'client-cert-auth': 'true',
        'client-crl-file': authority.revoke([]),
      },
    );
    await running.member.whenReady();
  });

  afterAll(() => running.member.stop());

  async function refused(putter: Putter): Promise<string> {
    running.journal.lines.length = 0;
    await expect(putter.put()).rejects.toMatchObject({ code: 14 });
    putter.close();
    // Not of those that distrusted the member, and hung up.
    return await running.journal.line(
      /^rejected connection on client endpoint remote=127[^ ]* reason=(?!socket)/,
    );
  }

  test('serves who has one that the authority signed', async () => {
    const putter = new Putter(address, authority.certificate, alice);
    expect((await putter.put()).header?.revision).toBeGreaterThan(1n);
    putter.close();
  });

  test.skipIf(!withEtcdctl)('serves etcdctl', async () => {
    const files = [`--cert=${alice.certificateFile}`, `--key=${alice.keyFile}`, `--cacert=${authority.file}`];
    const put = await etcdctl([`https://${address}`], [...files, 'put', 'from', 'etcdctl']);
    expect(put).toEqual({ code: 0, stdout: 'OK\n', stderr: '' });
    const status = await etcdctl([`https://${address}`], [...files, 'endpoint', 'status']);
    expect(status.stdout).toMatch(new RegExp(`^https://${address}, .* 3\\.7\\.0, `));
  });

  test('refuses who has none, one of another authority or an expired one, and says why in its log', async () => {
    expect(await refused(new Putter(address, authority.certificate))).toMatch(/did not return a certificate/);
    const stranger = new Authority(directory, 'other').issue('stranger');
    expect(await refused(new Putter(address, authority.certificate, stranger))).toMatch(
      /reason=(UNABLE_TO|SELF_SIGNED)/,
    );
    const expired = authority.issue('expired', { notAfter: Date.now() - 1_000 });
    expect(await refused(new Putter(address, authority.certificate, expired))).toMatch(/CERT_HAS_EXPIRED/);
  });

  test('is not believed by who wants another authority, or another host', async () => {
    const other = new Authority(directory, 'another');
    const distrustful = new Putter(address, other.certificate, alice);
    await expect(distrustful.put()).rejects.toMatchObject({ code: 14 });
    distrustful.close();
    const misled = new Putter(`localhost:${port}`, authority.certificate, alice);
    await expect(misled.put()).rejects.toMatchObject({ code: 14 });
    misled.close();
  });

  test('tells who comes without TLS from its own, and closes', async () => {
    await expect(fetch(`http://${address}/health`)).rejects.toThrow('fetch failed');
    const line = await running.journal.line(/does not look like a TLS handshake/);
    expect(line).toMatch(/^rejected connection on client endpoint remote=127\.0\.0\.1:[1-9]/);
  });

  test('shows a renewed certificate to new connections, while the old ones go on', async () => {
    const before = new Putter(address, authority.certificate, alice);
    await before.put();
    const show = { cert: alice.certificate, key: alice.key };
    expect(await shown(port, show)).toBe(server.serialNumber);
    const renewed = authority.issue('server', { hosts });
    expect(await shown(port, show)).toBe(renewed.serialNumber);
    await running.journal.line(/^certificate files have changed and are in use/);

    // In the middle of the next renewal: a key that fits the certificate no longer.
    authority.write('server-key.pem', alice.key);
    expect(await shown(port, show)).toBe(renewed.serialNumber);
    await running.journal.line(/^changed certificate files cannot be used; the former stay in force/);
    authority.write('server-key.pem', renewed.key);
    expect(await shown(port, show)).toBe(renewed.serialNumber);
    expect((await before.put()).header?.revision).toBeGreaterThan(1n);
    before.close();
  });

  test('shuts out a revoked certificate as soon as the list says so', async () => {
    const mallory = authority.issue('mallory');
    const early = new Putter(address, authority.certificate, mallory);
    await early.put();
    early.close();
    authority.revoke([mallory.serialNumber]);
    expect(await refused(new Putter(address, authority.certificate, mallory))).toMatch(
      /serial [0-9a-f]+ revoked/,
    );
    const putter = new Putter(address, authority.certificate, alice);
    await putter.put();
    putter.close();
  });
});

describe('a member with ports of several kinds', () => {
  let running: Running;
  let base: number;

  beforeAll(async () => {
    base = await freePorts(5);
    const server = authority.issue('mixed', { hosts });
    const url = (scheme: string, i: number): string => `${scheme}://127.0.0.1:${base + i}`;
    running = await startMember(
      directory,
      'mixed',
      { client: `${url('https', 0)},${url('http', 0)}`, peer: url('http', 4) },
      {
        'listen-client-http-urls': `${url('https', 1)},unix://${directory}/socket`,
        'listen-metrics-urls': url('http', 2),
        'cert-file': server.certificateFile,
        'key-file': server.keyFile,
        'client-cert-allowed-hostname': 'unused.example',
        'cipher-suites': 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
        'tls-max-version': 'TLS1.2',
        'host-whitelist': '127.0.0.1',
      },
    );
    await running.member.whenReady();
  });

  afterAll(() => running.member.stop());

  test('serves gRPC with and without TLS on one port, and HTTP on its own', async () => {
    const putter = new Putter(`127.0.0.1:${base}`, authority.certificate);
    expect((await putter.put()).header?.revision).toBeGreaterThan(1n);
    putter.close();
    expect((await fetch(`http://127.0.0.1:${base}/version`)).status).toBe(404);
    const metrics = `http://127.0.0.1:${base + 2}`;
    expect(await (await fetch(`${metrics}/health`)).json()).toMatchObject({ health: 'true' });
    expect((await fetch(`${metrics}/version`)).status).toBe(404);
  });

  test('serves HTTP at a Unix socket, for host names that it knows', async () => {
    const status = (host: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const options = { socketPath: join(directory, 'socket'), path: '/version', headers: { host } };
        http.get(options, (response) => resolve(response.resume().statusCode)).once('error', reject);
      });
    expect(await status('127.0.0.1')).toBe(200);
    expect(await status('evil.example')).toBe(421);
  });

  test('speaks the versions and suites that it was told to', async () => {
    const options = { minVersion: 'TLSv1.3' } as const;
    await expect(shown(base, options)).rejects.toThrow(/alert protocol version/);
    await expect(shown(base, { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })).rejects.toThrow(
      /handshake failure/,
    );
    await expect(shown(base, { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).resolves.toMatch(/^[0-9A-F]+$/);
  });
});

describe('automatic TLS', () => {
  test.skipIf(!withEtcdctl)(
    'is served to who does not ask for proof, with one certificate for all starts',
    async () => {
      const base = await freePorts(2);
      const ports = { client: `https://127.0.0.1:${base}`, peer: `https://127.0.0.1:${base + 1}` };
      const start = (): Promise<Running> =>
        startMember(directory, 'auto', ports, { 'auto-tls': 'true', 'peer-auto-tls': 'true' });
      const first = await start();
      await first.member.whenReady();
      const unproven = ['--insecure-transport=false', '--insecure-skip-tls-verify'];
      expect((await etcdctl([ports.client], [...unproven, 'put', 'a', 'b'])).stdout).toBe('OK\n');
      const proven = [`--cacert=${join(directory, 'auto/fixtures/client/cert.pem')}`];
      expect((await etcdctl([ports.client], [...proven, 'get', 'a'])).stdout).toBe('a\nb\n');
      const serialNumber = await shown(base);
      await first.member.stop();
      const second = await start();
      expect(await shown(base)).toBe(serialNumber);
      await second.member.stop();
    },
  );
});
