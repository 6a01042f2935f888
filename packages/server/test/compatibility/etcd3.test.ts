import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Etcd3, EtcdLockFailedError, type IKeyValue } from 'etcd3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Authority } from '../support/authority.ts';
import { InProcessCluster } from '../support/in-process.ts';
import { freePorts } from '../support/ports.ts';
import { topology } from '../support/sharded/topology.ts';
import { type Running, startMember } from '../tls/tls-member.ts';

/** The client of npm's `etcd3`, over TLS as its own suite wants it. */
describe('etcd3', () => {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
  let running: Running | null = null;
  let cluster: InProcessCluster | null = null;
  let client: Etcd3;

  beforeAll(async () => {
    if (topology !== null) {
      cluster = await InProcessCluster.start(1);
      client = new Etcd3({ hosts: [...cluster.endpoints] });
      return;
    }
    const authority = new Authority(directory, 'ca');
    const server = authority.issue('server', { hosts: ['127.0.0.1', 'localhost'] });
    const base = await freePorts(2);
    const ports = { client: `https://127.0.0.1:${base}`, peer: `http://127.0.0.1:${base + 1}` };
    running = await startMember(directory, 'm', ports, {
      'cert-file': server.certificateFile,
      'key-file': server.keyFile,
    });
    await running.member.whenReady();
    const credentials = { rootCertificate: Buffer.from(authority.certificate) };
    client = new Etcd3({ hosts: `https://localhost:${base}`, credentials });
  });

  afterAll(async () => {
    client.close();
    await running?.member.stop();
    await cluster?.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  test('puts, gets and deletes', async () => {
    await client.put('a/1').value('one');
    await client.put('a/2').value('two');
    expect(await client.get('a/1').string()).toBe('one');
    expect(await client.getAll().prefix('a/').sort('Key', 'Descend').strings()).toEqual({
      'a/1': 'one',
      'a/2': 'two',
    });
    expect(await client.getAll().prefix('a/').count()).toBe(2);
    expect((await client.delete().prefix('a/')).deleted).toBe('2');
    expect(await client.get('a/1').string()).toBeNull();
  });

  test('builds transactions', async () => {
    await client.put('counter').value(1);
    const attempt = (expected: number): Promise<{ succeeded: boolean }> =>
      client
        .if('counter', 'Value', '==', expected)
        .then(client.put('counter').value(2))
        .else(client.get('counter'))
        .commit();
    expect((await attempt(1)).succeeded).toBe(true);
    expect((await attempt(1)).succeeded).toBe(false);
    await client.stm().transact(async (stm) => {
      const value = Number(await stm.get('counter').string());
      await stm.put('counter').value(value + 1);
    });
    expect(await client.get('counter').number()).toBe(3);
  });

  test('watches a prefix', async () => {
    const watcher = await client.watch().prefix('w/').withPreviousKV().create();
    const events: string[] = [];
    const seen = new Promise<void>((resolve) => {
      watcher.on('put', (kv: IKeyValue) => events.push(`put ${kv.key.toString()} ${kv.value.toString()}`));
      watcher.on('delete', (kv: IKeyValue, previous?: IKeyValue) => {
        events.push(`delete ${kv.key.toString()} ${previous?.value.toString()}`);
        resolve();
      });
    });
    await client.put('w/1').value('x');
    await client.put('other').value('y');
    await client.delete().key('w/1');
    await seen;
    await watcher.cancel();
    expect(events).toEqual(['put w/1 x', 'delete w/1 x']);
  });

  test('ties keys to a lease', async () => {
    const lease = client.lease(60);
    await lease.put('leased').value('x');
    expect((await client.get('leased').exec()).kvs[0]?.lease).toBe(await lease.grant());
    expect(Number((await lease.keepaliveOnce()).TTL)).toBe(60);
    await lease.revoke();
    expect(await client.get('leased').string()).toBeNull();
  });

  test('locks, and elects one leader after the other', async () => {
    const held = await client.lock('resource').ttl(60).acquire();
    await expect(client.lock('resource').acquire()).rejects.toBeInstanceOf(EtcdLockFailedError);
    await held.release();
    await (await client.lock('resource').acquire()).release();

    const election = client.election('job', 60);
    const first = election.campaign('first');
    await new Promise((resolve) => first.once('elected', resolve));
    expect(await election.leader()).toBe('first');
    const second = client.election('job', 60).campaign('second');
    const elected = new Promise((resolve) => second.once('elected', resolve));
    await first.resign();
    await elected;
    expect(await election.leader()).toBe('second');
    await second.resign();
  });
});
