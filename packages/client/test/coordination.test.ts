import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, op } from '../src/node/index.ts';
import type { Client, Lock } from '../src/node/index.ts';
import { backends } from './support/backends.ts';
import type { Backend } from './support/backends.ts';

describe.each(backends)('with %s', (kind, start) => {
  let backend: Backend;
  let client: Client;
  let other: Client;
  let tests = 0;
  let name = '';

  beforeAll(async () => {
    backend = await start();
    client = connect(backend.endpoints);
    other = connect(backend.endpoints);
  });

  afterAll(async () => {
    await Promise.all([client.close(), other.close()]);
    await backend.remove();
  });

  beforeEach(() => {
    tests += 1;
    name = `locks/${tests}`;
  });

  describe('a lock', () => {
    test('is held by one at a time, and each holder has a higher revision', async () => {
      let holders = 0;
      const revisions: number[] = [];
      const work = async (worker: Client): Promise<void> => {
        const lock = await worker.lock(name);
        holders += 1;
        expect(holders).toBe(1);
        revisions.push(lock.revision);
        await worker.put(`${name}-work`, String(lock.revision));
        holders -= 1;
        await lock.release();
      };
      await Promise.all([client, other, client, other, client].map(work));
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(new Set(revisions).size).toBe(5);
    });

    test('is a key that names its lease, as etcdctl makes it', async () => {
      const lock = await client.lock(name);
      expect(lock.key).toBe(`${name}/${lock.lease.id.toString(16)}`);
      const entry = await other.get(lock.key);
      expect([entry?.createRevision, entry?.lease]).toEqual([lock.revision, lock.lease.id]);
      await lock.release();
      expect(await other.get(lock.key)).toBeNull();
    });

    test('is not waited for by who only tries', async () => {
      const lock = await client.lock(name);
      expect(await other.tryLock(name)).toBeNull();
      expect(await client.count({ prefix: `${name}/` })).toBe(1);
      await lock.release();
      const second = await other.tryLock(name);
      expect(second?.isAlive).toBe(true);
      await second?.release();
    });

    test('is given up waiting for when the time is over or the signal aborts', async () => {
      const lock = await client.lock(name);
      await expect(other.lock(name, { timeoutMs: 50 })).rejects.toMatchObject({
        code: 'FLOTILLA_RPC_DEADLINE_EXCEEDED',
      });
      const controller = new AbortController();
      const waiting = other.lock(name, { signal: controller.signal });
      controller.abort(new Error('changed my mind'));
      await expect(waiting).rejects.toThrow('changed my mind');
      await lock.release();
      expect(await client.count({ prefix: `${name}/` })).toBe(0);
    });

    test('is lost with its lease, with its key, and says so; what asks for it is refused then', async () => {
      const write = async (lock: Lock): Promise<boolean> =>
        (
          await client
            .if(lock.isHeld)
            .do(op.put(`${name}-work`, 'x'))
            .commit()
        ).succeeded;
      const byLease = await client.lock(name);
      expect(await write(byLease)).toBe(true);
      await other.leases.revoke(byLease.lease);
      expect(await byLease.lost).toMatchObject({ code: 'FLOTILLA_LOCK_LOST' });
      expect([byLease.signal.aborted, byLease.isAlive, await write(byLease)]).toEqual([true, false, false]);
      const byKey = await client.lock(name);
      await other.delete(byKey.key);
      expect((await byKey.lost).message).toContain('deleted');
      expect(await write(byKey)).toBe(false);
    });

    test('can be one of several under one lease of the caller', async () => {
      const lease = await client.lease(30);
      const locks = await Promise.all([
        client.lock(`${name}-a`, { lease }),
        client.lock(`${name}-b`, { lease }),
      ]);
      await locks[0]?.release();
      expect(lease.isAlive).toBe(true);
      await lease.release();
      expect(await client.get(locks[1]?.key ?? '')).toBeNull();
    });
  });

  describe('an election', () => {
    test('has one leader, who proclaims, resigns, and is followed by the next', async () => {
      const election = client.election(name);
      expect(await election.leader()).toBeNull();
      const seen: (string | undefined)[] = [];
      const done = new AbortController();
      const observing = (async () => {
        for await (const leader of other.election(name).observe({ signal: done.signal })) {
          seen.push(leader?.text);
          if (leader?.text === 'second') done.abort();
        }
      })();
      const first = await election.campaign('first');
      const next = other.election(name).campaign('second');
      await first.proclaim('still first');
      expect((await election.leader())?.text).toBe('still first');
      await first.resign();
      const second = await next;
      expect(second.revision).toBeGreaterThan(first.revision);
      await expect(first.proclaim('late')).rejects.toMatchObject({ code: 'FLOTILLA_LOCK_LOST' });
      await observing;
      expect(seen.at(-1)).toBe('second');
      expect(seen).toContain('still first');
      await second.resign();
    });
  });

  describe('administration', () => {
    test('lists members, and can ask those instead', async () => {
      const members = await client.members.list();
      expect(members.map(({ clientUrls }) => clientUrls)).toEqual([backend.endpoints]);
      expect(await client.syncEndpoints()).toEqual(backend.endpoints);
      expect(await client.count({ all: true })).toBeGreaterThanOrEqual(0);
    });

    test('asks one member for its state', async () => {
      const [endpoint] = backend.endpoints as [string];
      const status = await client.maintenance.status({ endpoint });
      expect(status.leader).toBe(status.header?.memberId);
      expect(status.version).toMatch(/^3\.\d+\.\d+$/);
      await client.maintenance.defragment({ endpoint });
      expect((await client.maintenance.hashKv()).hash).toBeGreaterThan(0);
      expect(await client.maintenance.hash({ endpoint })).toBeGreaterThan(0);
      expect(await client.maintenance.alarms()).toEqual([]);
      expect(await client.maintenance.disarm()).toEqual([]);
    });

    test('announces a downgrade and takes it back, where the server knows of that', async () => {
      const { maintenance } = client;
      if (kind === 'etcd') {
        await expect(maintenance.validateDowngrade('3.3')).rejects.toMatchObject({ status: 12 });
        return;
      }
      await expect(maintenance.validateDowngrade('3.5')).rejects.toMatchObject({
        reason: 'invalidDowngradeTargetVersion',
      });
      expect(await maintenance.validateDowngrade('3.6')).toBe('3.7');
      expect(await maintenance.enableDowngrade('3.6')).toBe('3.7');
      expect((await maintenance.status()).downgradeInfo).toEqual({ enabled: true, targetVersion: '3.6.0' });
      expect(await maintenance.cancelDowngrade()).toBe('3.7');
    });

    test('streams a snapshot', async () => {
      let bytes = 0;
      for await (const part of client.maintenance.snapshot()) bytes += part.length;
      expect(bytes).toBeGreaterThan(16 * 1024);
    });
  });

  // Last: from here on everybody needs a password.
  describe('with users', () => {
    test('clients say who they are, and go on when tokens are void', async () => {
      const { users, roles } = client.auth;
      await users.add('root', 'secret');
      await roles.add('root');
      await users.grantRole('root', 'root');
      await users.add('ann', 'pass');
      await roles.add('reader');
      await roles.grant('reader', { prefix: 'open/' }, 'read');
      await users.grantRole('ann', 'reader');
      expect(await users.rolesOf('ann')).toEqual(['reader']);
      expect((await roles.permissionsOf('reader')).map(({ access }) => access)).toEqual(['read']);
      const root = connect(backend.endpoints, { auth: { user: 'root', password: 'secret' } });
      const ann = connect(backend.endpoints, { auth: { user: 'ann', password: 'pass' } });
      // A client with a password works before it is needed.
      await root.put('open/a', '1');
      await client.auth.enable();
      await root.put('open/a', '2');
      expect((await ann.get('open/a'))?.text).toBe('2');
      await expect(ann.put('open/a', '3')).rejects.toMatchObject({
        reason: 'permissionDenied',
        outcome: 'not executed',
      });
      const watch = ann.watch('open/a');
      await watch.ready;
      await expect(ann.watch('shut').next()).rejects.toMatchObject({ reason: 'permissionDenied' });
      // Every change of users makes the tokens that were given before it old.
      await root.auth.users.add('bob', 'x');
      await root.put('open/a', '4');
      expect((await ann.get('open/a'))?.text).toBe('4');
      expect((await watch.next()).value).toMatchObject({ events: [{ type: 'put' }] });
      const wrong = connect(backend.endpoints, { auth: { user: 'ann', password: 'no' } });
      await expect(wrong.get('open/a')).rejects.toMatchObject({ reason: 'authenticationFailed' });
      await root.auth.disable();
      await Promise.all([root, ann, wrong].map((each) => each.close()));
    });
  });
});
