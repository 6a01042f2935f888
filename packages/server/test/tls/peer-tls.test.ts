import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KV, PutRequest } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { afterAll, afterEach, describe, test } from 'vitest';
import { Authority, type Issued } from '../support/authority.ts';
import { freePorts } from '../support/ports.ts';
import { type Running, startMember } from './tls-member.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
const authority = new Authority(directory, 'ca');
let running: Running[] = [];

afterEach(async () => {
  await Promise.all(running.map(({ member }) => member.stop()));
  running = [];
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Three members; `settings` says what each is given besides. */
async function startCluster(
  name: string,
  settings: (i: number) => Readonly<Record<string, string>>,
): Promise<Running[]> {
  const base = await freePorts(6);
  const peerUrl = (i: number): string => `https://127.0.0.1:${base + 2 * i + 1}`;
  const names = [0, 1, 2].map((i) => `${name}${i + 1}`);
  const cluster = names.map((member, i) => `${member}=${peerUrl(i)}`).join(',');
  running = await Promise.all(
    names.map((member, i) =>
      startMember(
        directory,
        member,
        { client: `http://127.0.0.1:${base + 2 * i}`, peer: peerUrl(i) },
        { 'initial-cluster': cluster, ...settings(i) },
      ),
    ),
  );
  return running;
}

function mutual(issued: Issued): Record<string, string> {
  return {
    'peer-cert-file': issued.certificateFile,
    'peer-key-file': issued.keyFile,
    'peer-trusted-ca-file': authority.file,
    'peer-client-cert-auth': 'true',
  };
}

async function put(member: Running): Promise<void> {
  const [{ port } = { port: 0 }] = member.member.clientAddresses;
  const channel = openHttp2Channel({ endpoints: [`http://127.0.0.1:${port}`] });
  const request = PutRequest.create({ key: Buffer.from('k'), value: Buffer.from('v') });
  await channel.unary(KV.methods.Put.path, PutRequest.encodeFrame(request));
  channel.close();
}

describe('members over TLS', () => {
  test('form a cluster when each shows a certificate that the authority signed', async () => {
    const members = await startCluster('good', (i) =>
      mutual(authority.issue(`good${i + 1}`, { hosts: ['127.0.0.1'] })),
    );
    await Promise.all(members.map(({ member }) => member.whenReady()));
    await Promise.all(members.map(put));
  });

  test('form a cluster with certificates that they have made themselves', async () => {
    const members = await startCluster('auto', () => ({ 'peer-auto-tls': 'true' }));
    await Promise.all(members.map(({ member }) => member.whenReady()));
    await Promise.all(members.map(put));
  });

  test('keep out one with the certificate of another authority, and both sides say why', async () => {
    const stranger = new Authority(directory, 'other').issue('stranger', { hosts: ['127.0.0.1'] });
    const [first, second, third] = (await startCluster('odd', (i) =>
      i === 0 ? mutual(stranger) : mutual(authority.issue(`odd${i + 1}`, { hosts: ['127.0.0.1'] })),
    )) as [Running, Running, Running];
    await Promise.all([second.member.whenReady(), third.member.whenReady()]);
    await put(second);
    await second.journal.line(/^rejected connection on peer endpoint .*reason=(UNABLE_TO|SELF_SIGNED)/);
    await first.journal.line(
      /^peer refused .*refused: tls: bad certificate .*code=FLOTILLA_PEER_CERTIFICATE/,
    );
  });

  test('keep out one whose common name is not allowed, and both sides say why', async () => {
    const members = (await startCluster('cn', (i) => {
      const name = i === 2 ? 'outsider' : 'member';
      const issued = authority.issue(`cn${i + 1}`, { subject: { commonName: name }, hosts: ['127.0.0.1'] });
      return { ...mutual(issued), ...(i === 2 ? {} : { 'peer-cert-allowed-cn': 'other,member' }) };
    })) as [Running, Running, Running];
    await Promise.all(members.slice(0, 2).map(({ member }) => member.whenReady()));
    await put(members[0]);
    await members[0].journal.line(/^peer refused .*"outsider" is not allowed/);
    await members[2].journal.line(/remote error: tls: bad certificate/);
  });

  test('tell one that dials with a certificate of another address that it is refused', async () => {
    const members = (await startCluster('san', (i) => {
      // Good where it listens, and not where it connects from.
      const client = authority.issue(`san${i + 1}-client`, { hosts: ['203.0.113.7'] });
      const server = authority.issue(`san${i + 1}`, { hosts: ['127.0.0.1'] });
      return {
        ...mutual(server),
        ...(i === 0
          ? { 'peer-client-cert-file': client.certificateFile, 'peer-client-key-file': client.keyFile }
          : {}),
      };
    })) as [Running, Running, Running];
    await members[1].journal.line(
      /^rejected connection on peer endpoint .*x509: certificate is valid for 203\.0\.113\.7, not 127\.0\.0\.1/,
    );
    await members[0].journal.line(/^peer refused .*refused: .*x509: certificate is valid for 203\.0\.113\.7/);
  });

  test('may meet at several addresses, Unix sockets among them, also after a crash that left one behind', async () => {
    const base = await freePorts(2);
    const socket = join(directory, 'peer-socket');
    const left = createServer();
    await new Promise<void>((resolve) => left.listen(`${socket}-old`, resolve));
    // Closed, it would take its socket along.
    renameSync(`${socket}-old`, socket);
    left.close();
    const ports = { client: `http://127.0.0.1:${base}`, peer: `unix:${socket}` };
    const more = {
      'listen-peer-urls': `unix:${socket},https://127.0.0.1:${base + 1}`,
      'peer-auto-tls': 'true',
    };
    const one = await startMember(directory, 'unix', ports, more);
    running = [one];
    await one.member.whenReady();
    await put(one);
    const reached = [{ path: socket }, { host: '127.0.0.1', port: base + 1 }].map(
      (target) =>
        new Promise<void>((resolve, reject) => {
          const connection = connect(target, () => resolve(void connection.destroy()));
          connection.once('error', reject);
        }),
    );
    await Promise.all(reached);
  });
});
