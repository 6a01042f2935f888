import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Authority } from '../../server/test/support/authority.ts';
import { freePorts } from '../../server/test/support/ports.ts';
import { startMember } from '../../server/test/tls/tls-member.ts';
import type { Running } from '../../server/test/tls/tls-member.ts';
import { connect } from '../src/node/index.ts';
import type { Client, ConnectOptions } from '../src/node/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
const authority = new Authority(directory, 'ca');
const stranger = new Authority(directory, 'stranger');
const app = authority.issue('app');
const clients: Client[] = [];
let running: Running;
let endpoint: string;

beforeAll(async () => {
  const port = await freePorts(2);
  endpoint = `https://127.0.0.1:${port}`;
  const server = authority.issue('server', { hosts: ['127.0.0.1'] });
  running = await startMember(
    directory,
    'm',
    { client: endpoint, peer: `http://127.0.0.1:${port + 1}` },
    {
      'cert-file': server.certificateFile,
      'key-file': server.keyFile,
      'trusted-ca-file': authority.file,
      'client-cert-auth': 'true',
    },
  );
  await running.member.whenReady();
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await running.member.stop();
  rmSync(directory, { recursive: true, force: true });
});

function open(tls: NonNullable<ConnectOptions['tls']>): Client {
  const client = connect(endpoint, { tls });
  clients.push(client);
  return client;
}

test('a client shows its certificate, and looks at that of the server', async () => {
  const client = open({ ca: authority.certificate, certificate: app.certificate, key: app.key });
  const watch = client.watch('a');
  await watch.ready;
  await client.put('a', '1');
  expect((await watch.next()).value).toMatchObject({ events: [{ type: 'put' }] });
});

test('no request reaches a server that another authority vouches for, unless the client is told not to look', async () => {
  const identity = { certificate: app.certificate, key: app.key };
  const wary = open({ ca: stranger.certificate, ...identity });
  await expect(wary.put('b', '1', { timeoutMs: 300 })).rejects.toMatchObject({ outcome: 'not executed' });
  const trusting = open({ ...identity, verifyPeer: false });
  expect(await trusting.get('b')).toBeNull();
});

test('a client without a certificate is not let in', async () => {
  const nobody = open({ ca: authority.certificate });
  await expect(nobody.get('a', { timeoutMs: 300 })).rejects.toMatchObject({ outcome: 'not executed' });
});
