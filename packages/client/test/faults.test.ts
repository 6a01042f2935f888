import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InProcessCluster } from '../../server/test/support/in-process.ts';
import { Etcd } from '../../server/test/support/etcd.ts';
import { connect, op } from '../src/node/index.ts';
import type { WatchBatch, Watcher } from '../src/node/index.ts';
import { Proxy } from './support/proxy.ts';

describe('with a cluster of three, each behind a wire that breaks', () => {
  let cluster: InProcessCluster;
  let proxies: Proxy[];

  beforeAll(async () => {
    cluster = await InProcessCluster.start(3, { 'heartbeat-interval': '50', 'election-timeout': '500' });
    proxies = await Promise.all(cluster.endpoints.map((endpoint) => Proxy.start(endpoint)));
  });

  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.down()));
    await cluster.remove();
    expect(cluster.failures).toEqual([]);
  });

  const urls = (): string[] => proxies.map((proxy) => proxy.url);

  test('a write whose answer is lost is made again and takes effect once', async () => {
    const client = connect(urls());
    // Opens the session, and connections to all.
    await Promise.all(proxies.map(() => client.put('once', 'begin')));
    const before = (await client.get('once'))?.version ?? 0;
    const direct = connect(cluster.endpoints);
    const watch = direct.watch('once');
    await watch.ready;
    for (let i = 0; i < 6; i += 1) {
      // Each endpoint has a connection, and has said that it takes sessions.
      for (const proxy of proxies) await client.put(`warm ${proxy.url}`, '');
      for (const proxy of proxies) proxy.deafen();
      const put = client.put('once', String(i));
      // It was executed, and nobody has heard of it.
      await watch.next();
      for (const proxy of proxies) proxy.cut();
      await put;
    }
    await direct.close();
    expect((await client.get('once'))?.version).toBe(before + 6);
    await client.close();
  });

  test('increments are counted exactly, and watched without gap or repeat, while connections break', async () => {
    const clients = [connect(urls()), connect(urls()), connect(urls())];
    const watch = clients[0]?.watch('counter') as Watcher;
    await watch.ready;
    const increments = 20;
    let done = 0;
    const count = async (client = clients[0]): Promise<void> => {
      for (let i = 0; i < increments; i += 1) {
        await client?.stm(async (tx) => {
          tx.put('counter', String(Number((await tx.get('counter'))?.text ?? 0) + 1));
        });
        done += 1;
        if (done % 3 === 0) proxies[(done % 9) / 3]?.cut();
      }
    };
    await Promise.all(clients.map(count));
    expect((await clients[0]?.get('counter'))?.text).toBe(String(3 * increments));
    expect(await values(watch, 3 * increments)).toEqual(
      Array.from({ length: 3 * increments }, (_, i) => String(i + 1)),
    );
    await Promise.all(clients.map((client) => client.close()));
  });

  test('a member that stops, leader or not, is gone past: nothing is lost, nothing comes twice', async () => {
    const client = connect(urls());
    const watch = client.watch('through', { previous: true });
    await watch.ready;
    let written = 0;
    let isOver = false;
    const writing = (async () => {
      for (; !isOver; written += 1) await client.put('through', String(written));
    })();
    const lock = await client.lock('through-lock', { ttlSeconds: 30 });
    for (let member = 0; member < 3; member += 1) {
      await cluster.stopMember(member);
      const seen = written;
      while (written < seen + 5) await client.get('pace');
      await cluster.startMember(member);
      await cluster.members[member]?.whenReady();
    }
    expect(lock.isAlive).toBe(true);
    await lock.release();
    isOver = true;
    await writing;
    expect((await client.get('through'))?.version).toBe(written);
    expect(await values(watch, written)).toEqual(Array.from({ length: written }, (_, i) => String(i)));
    await client.close();
  });

  test('a slow reader, a compaction and a lost connection leave a watch whole', async () => {
    const client = connect(urls());
    const slow = client.watch('slow', { bufferedEvents: 2, compacted: 'skip' });
    await slow.ready;
    for (let i = 0; i < 10; i += 1) await client.put('slow', String(i));
    const first = await slow.next();
    const { revision } = await client.put('slow', 'last');
    await client.compact(revision);
    for (const proxy of proxies) proxy.cut();
    const batches = [first.value as WatchBatch];
    while (batches.at(-1)?.events[0]?.entry.text !== 'last')
      batches.push((await slow.next()).value as WatchBatch);
    let next = batches[0]?.revision ?? 0;
    for (const { revision: at, lost } of batches) {
      // Each revision comes, or is said to be lost.
      if (lost === null) expect(at).toBe(next);
      else expect(lost.from).toBe(next);
      next = at + 1;
    }
    await client.close();
  });

  test('a request is given up in time, and says what may have become of it', async () => {
    const client = connect(urls()[0] as string);
    await client.put('given-up', '0');
    for (const proxy of proxies) proxy.deafen();
    await expect(client.put('given-up', '1', { timeoutMs: 200 })).rejects.toMatchObject({
      code: 'FLOTILLA_RPC_DEADLINE_EXCEEDED',
      outcome: 'unknown',
    });
    const controller = new AbortController();
    const aborted = client.get('given-up', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toMatchObject({ code: 'FLOTILLA_RPC_CANCELLED', outcome: 'not executed' });
    for (const proxy of proxies) proxy.cut();
    await client.close();
    await expect(client.get('given-up')).rejects.toMatchObject({ code: 'FLOTILLA_CLIENT_CLOSED' });
  });
});

describe('with etcd, which knows no sessions', () => {
  let etcd: Etcd;
  let proxy: Proxy;

  beforeAll(async () => {
    etcd = await Etcd.start();
    proxy = await Proxy.start(etcd.endpoint);
  });

  afterAll(async () => {
    await proxy.down();
    await etcd.remove();
  });

  test('a write that may have been executed is not made again, and says so', async () => {
    const client = connect(proxy.url);
    const direct = connect(etcd.endpoint);
    await client.put('a', '0');
    const watch = direct.watch('a');
    await watch.ready;
    proxy.deafen();
    const put = client.put('a', '1').catch((error: unknown) => error);
    await watch.next();
    proxy.cut();
    expect(await put).toMatchObject({ code: 'FLOTILLA_RPC_UNAVAILABLE', outcome: 'unknown' });
    expect((await direct.get('a'))?.version).toBe(2);
    // What is surely the same twice is made again.
    await client.get('a');
    proxy.deafen();
    const repeatable = client.transaction().do(op.put('a', '2')).commit({ repeatable: true });
    await watch.next();
    proxy.cut();
    await repeatable;
    expect((await direct.get('a'))?.text).toBe('2');
    await Promise.all([client.close(), direct.close()]);
  });

  test('a write that nobody has seen waits until somebody is there', async () => {
    const client = connect(proxy.url);
    await client.put('b', '0');
    await proxy.down();
    // Until it has noticed, the client could not tell.
    await expect(client.get('b', { timeoutMs: 100 })).rejects.toMatchObject({ outcome: 'not executed' });
    const put = client.put('b', '1');
    await expect(client.put('c', '1', { timeoutMs: 150 })).rejects.toMatchObject({ outcome: 'not executed' });
    await proxy.listen();
    await put;
    expect((await client.get('b'))?.text).toBe('1');
    await client.close();
  });

  test('a watch goes on where it was, and a lease stays alive', async () => {
    const client = connect(proxy.url);
    const watch = client.watch('w');
    await watch.ready;
    const lease = await client.lease(60);
    const direct = connect(etcd.endpoint);
    for (let i = 0; i < 5; i += 1) {
      proxy.cut();
      await direct.put('w', String(i));
    }
    expect(await values(watch, 5)).toEqual(['0', '1', '2', '3', '4']);
    expect(lease.isAlive).toBe(true);
    await Promise.all([client.close(), direct.close()]);
  });
});

async function values(watch: Watcher, count: number): Promise<string[]> {
  const found: string[] = [];
  while (found.length < count) {
    const { done, value } = await watch.next();
    if (done === true) throw new Error('the watch has ended');
    found.push(...value.events.map(({ entry }) => entry.text));
  }
  watch.close();
  return found;
}
