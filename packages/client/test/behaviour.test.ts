import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { EtcdError, WatchCompactedError, connect, op, when } from '../src/node/index.ts';
import type { Client, Condition, WatchBatch } from '../src/node/index.ts';
import { backends } from './support/backends.ts';
import type { Backend } from './support/backends.ts';

describe.each(backends)('a client of %s', (name, start) => {
  let backend: Backend;
  let client: Client;
  let tests = 0;
  /** Each test has keys of its own. */
  let prefix = '';

  beforeAll(async () => {
    backend = await start();
    client = connect(backend.endpoints);
  });

  afterAll(async () => {
    await client.close();
    await backend.remove();
  });

  beforeEach(() => {
    tests += 1;
    prefix = `test-${tests}/`;
  });

  const key = (name: string): string => prefix + name;

  describe('keys', () => {
    test('are put, found, and deleted', async () => {
      const first = await client.put(key('a'), 'one', { previous: true });
      expect(first.previous).toBeNull();
      const second = await client.put(key('a'), Uint8Array.of(0xff, 0), { previous: true });
      expect(second.previous?.text).toBe('one');
      const entry = await client.get(key('a'));
      expect(entry?.bytes).toEqual(Buffer.from([0xff, 0]));
      expect(entry).toMatchObject({
        key: key('a'),
        createRevision: first.revision,
        modRevision: second.revision,
        version: 2,
        lease: 0n,
      });
      expect((await client.get(key('a'), { revision: first.revision }))?.text).toBe('one');
      expect(await client.delete(key('a'), { previous: true })).toMatchObject({ deleted: 1 });
      expect(await client.get(key('a'))).toBeNull();
    });

    test('carry JSON', async () => {
      await client.put(key('a'), JSON.stringify({ port: 80 }));
      expect((await client.get(key('a')))?.json<{ port: number }>().port).toBe(80);
      await client.put(key('a'), 'no json');
      const entry = await client.get(key('a'));
      expect(() => entry?.json()).toThrow(expect.objectContaining({ code: 'FLOTILLA_VALUE_MALFORMED' }));
    });

    test('of a span come as a stream from a server that has one', async () => {
      const names = Array.from({ length: 25 }, (_, i) => key(String(i).padStart(2, '0')));
      await Promise.all(names.map((each) => client.put(each, each)));
      const found: string[] = [];
      let pieces = 0;
      const reading = (async () => {
        for await (const piece of client.stream({ prefix }, { limit: 20 })) {
          pieces += 1;
          found.push(...piece.map(({ text }) => text));
        }
      })();
      if (name === 'etcd') await expect(reading).rejects.toMatchObject({ status: 12 });
      else {
        await reading;
        expect([pieces > 1, found]).toEqual([true, names.slice(0, 20)]);
      }
    });

    test('are counted, limited and sorted', async () => {
      for (const [name, value] of [
        ['a', '3'],
        ['b', '1'],
        ['c', '2'],
      ] as const)
        await client.put(key(name), value);
      expect(await client.count({ prefix })).toBe(3);
      const { entries, more, count } = await client.range({ prefix }, { limit: 2 });
      expect([entries.map((entry) => entry.key), more, count]).toEqual([[key('a'), key('b')], true, 3]);
      const byValue = await client.range({ prefix }, { sortBy: 'value', order: 'descending' });
      expect(byValue.entries.map((entry) => entry.text)).toEqual(['3', '2', '1']);
      const between = await client.range({ from: key('b'), to: key('c') }, { keysOnly: true });
      expect(between.entries.map((entry) => [entry.key, entry.text])).toEqual([[key('b'), '']]);
      const newest = await client.range({ prefix }, { minModRevision: entries[1]?.modRevision ?? 0 });
      expect(newest.entries.map((entry) => entry.key)).toEqual([key('b'), key('c')]);
    });

    test('are iterated over as they were when it began, whatever is written meanwhile', async () => {
      const names = Array.from({ length: 25 }, (_, i) => key(String(i).padStart(2, '0')));
      await Promise.all(names.map((name) => client.put(name, 'old')));
      const seen: string[] = [];
      for await (const entry of client.entries({ prefix }, { pageEntries: 4 })) {
        if (seen.length === 0) await client.put(names.at(-1) as string, 'new');
        if (seen.length === 1) await client.delete(names.at(-2) as string);
        seen.push(entry.key);
        expect(entry.text).toBe('old');
      }
      expect(seen).toEqual(names);
    });

    test('fail with the reason that etcd gives, and what became of the write', async () => {
      const noLease = client.put(key('a'), 'x', { lease: 12345n });
      await expect(noLease).rejects.toMatchObject({ reason: 'leaseNotFound', outcome: 'not executed' });
      await expect(noLease).rejects.toBeInstanceOf(EtcdError);
      await expect(client.put('', 'x')).rejects.toMatchObject({ reason: 'emptyKey' });
      await expect(client.get(key('a'), { revision: 1_000_000 })).rejects.toMatchObject({
        code: 'FLOTILLA_RPC_OUT_OF_RANGE',
        reason: 'futureRevision',
      });
    });
  });

  describe('a transaction', () => {
    test('does one thing or the other, and answers each operation in its type', async () => {
      const create = client
        .if(when.missing(key('a')))
        .do(op.put(key('a'), '1'), op.range({ prefix }))
        .else(op.get(key('a')));
      const first = await create.commit();
      if (!first.succeeded) throw new Error('the key was there');
      expect(first.results[0].revision).toBe(first.revision);
      expect(first.results[1].entries.map((entry) => entry.text)).toEqual(['1']);
      const second = await create.commit();
      if (second.succeeded) throw new Error('the key was not there');
      expect(second.results[0]?.text).toBe('1');
    });

    test('compares versions, revisions, values and leases', async () => {
      const { revision } = await client.put(key('a'), 'v');
      const holds = async (...conditions: readonly Condition[]): Promise<boolean> =>
        (
          await client
            .if(...conditions)
            .do(op.get(key('a')))
            .commit()
        ).succeeded;
      expect(await holds(when.version(key('a'), '=', 1), when.exists(key('a')))).toBe(true);
      expect(await holds(when.modRevision(key('a'), '>', revision))).toBe(false);
      expect(await holds(when.createRevision(key('a'), '<', revision + 1))).toBe(true);
      expect(await holds(when.value(key('a'), '!=', 'v'))).toBe(false);
      expect(await holds(when.lease(key('a'), '=', 0n))).toBe(true);
      expect(await holds(when.modRevision({ prefix }, '<', revision + 1))).toBe(true);
    });

    test('can be part of another one', async () => {
      const inner = client.if(when.missing(key('b'))).do(op.put(key('b'), 'made'));
      const result = await client
        .transaction()
        .do(inner.nested(), op.get(key('b')))
        .commit();
      if (!result.succeeded) throw new Error('there was no condition');
      expect(result.results[0].succeeded).toBe(true);
      expect(result.results[1]?.text).toBe('made');
    });
  });

  describe('a software transaction', () => {
    test('counts without losing an increment', async () => {
      const increment = (): Promise<void> =>
        client.stm(async (tx) => tx.put(key('n'), String(Number((await tx.get(key('n')))?.text ?? 0) + 1)));
      await Promise.all(Array.from({ length: 12 }, increment));
      expect((await client.get(key('n')))?.text).toBe('12');
    });

    test('sees one picture of the keys, and its own writes', async () => {
      await client.put(key('a'), 'old');
      await client.put(key('b'), 'old');
      let runs = 0;
      const seen = await client.stm(async (tx) => {
        runs += 1;
        const a = (await tx.get(key('a')))?.text;
        if (runs === 1) await client.put(key('b'), 'new');
        const b = (await tx.get(key('b')))?.text;
        tx.put(key('c'), 'own');
        return [a, b, (await tx.get(key('c')))?.text];
      });
      // The first run saw the old b, and could not commit on it.
      expect([runs, seen]).toEqual([2, ['old', 'new', 'own']]);
    });

    test('does not commit when a key has come into a span that it read', async () => {
      let runs = 0;
      await client.stm(async (tx) => {
        runs += 1;
        const entries = await tx.range({ prefix: key('in/') });
        if (runs === 1) await client.put(key('in/late'), 'x');
        tx.put(key('count'), String(entries.length));
      });
      expect((await client.get(key('count')))?.text).toBe('1');
    });

    test('is ended by what its body throws, and by others who never stop', async () => {
      const thrown = client.stm((tx) => {
        tx.put(key('a'), 'x');
        throw new Error('not today');
      });
      await expect(thrown).rejects.toThrow('not today');
      expect(await client.get(key('a'))).toBeNull();
      const contended = client.stm(
        async (tx) => {
          await tx.get(key('a'));
          await client.put(key('a'), 'other');
          tx.put(key('a'), 'mine');
        },
        { maxTries: 3 },
      );
      await expect(contended).rejects.toMatchObject({ code: 'FLOTILLA_STM_CONFLICT' });
    });
  });

  describe('a watch', () => {
    test('delivers each revision as a whole, in order', async () => {
      const watch = client.watch({ prefix }, { previous: true });
      const from = await watch.ready;
      await client.put(key('a'), '1');
      await client
        .transaction()
        .do(op.put(key('a'), '2'), op.put(key('b'), '1'))
        .commit();
      await client.delete({ prefix });
      const batches = await take(watch, 3);
      expect(batches[0]?.revision).toBeGreaterThanOrEqual(from);
      expect(batches.map(describeBatch)).toEqual([
        ['put a=1'],
        ['put a=2 was 1', 'put b=1'],
        ['delete a was 2', 'delete b was 1'],
      ]);
      expect(batches.flatMap(({ events }) => events.map((event) => event.isCreate))).toEqual([
        true,
        false,
        true,
        false,
        false,
      ]);
    });

    const describeBatch = ({ events }: WatchBatch): string[] =>
      events.map(({ type, entry, previous }) => {
        const value = type === 'put' ? `=${entry.text}` : '';
        return `${type} ${entry.key.slice(prefix.length)}${value}${previous === null ? '' : ` was ${previous.text}`}`;
      });

    test('begins in the past, filters, and shares its stream with others', async () => {
      const { revision } = await client.put(key('a'), '1');
      await client.delete(key('a'));
      const watches = (['put', 'delete'] as const).map((only) =>
        client.watch({ prefix }, { startRevision: revision, only }),
      );
      const [puts, deletions] = await Promise.all(watches.map((watch) => take(watch, 1)));
      expect(puts?.map(describeBatch)).toEqual([['put a=1']]);
      expect(deletions?.map(describeBatch)).toEqual([['delete a']]);
    });

    test('holds the server back while its reader is slow, and others go on', async () => {
      const slow = client.watch({ prefix }, { bufferedEvents: 4 });
      const quick = client.watch({ prefix });
      await Promise.all([slow.ready, quick.ready]);
      const values = Array.from({ length: 40 }, (_, i) => String(i));
      for (const value of values) await client.put(key('a'), value);
      const valuesOf = (batches: readonly WatchBatch[]): (string | undefined)[] =>
        batches.map(({ events }) => events[0]?.entry.text);
      expect(valuesOf(await take(quick, 40))).toEqual(values);
      expect(valuesOf(await take(slow, 40))).toEqual(values);
    });

    test('says that history is compacted, and how to go on', async () => {
      const { revision } = await client.put(key('a'), '1');
      await client.put(key('a'), '2');
      const last = await client.put(key('a'), '3');
      await client.compact(last.revision);
      const watch = client.watch(key('a'), { startRevision: revision });
      const error: unknown = await watch.next().catch((reason: unknown) => reason);
      if (!(error instanceof WatchCompactedError)) throw new Error('history was not compacted');
      expect(error).toMatchObject({ startRevision: revision, compactRevision: last.revision });
      const again = client.watch(key('a'), { startRevision: error.compactRevision });
      expect((await take(again, 1)).map(describeBatch)).toEqual([['put a=3']]);
      const skipping = client.watch(key('a'), { startRevision: revision, compacted: 'skip' });
      const [gap, next] = await take(skipping, 2);
      expect(gap).toEqual({
        revision: last.revision - 1,
        events: [],
        lost: { from: revision, to: last.revision - 1 },
      });
      expect(next?.revision).toBe(last.revision);
    });

    test('ends with its signal, by close, and with the loop that reads it', async () => {
      const controller = new AbortController();
      const aborted = client.watch({ prefix }, { signal: controller.signal });
      const reading = aborted.next();
      controller.abort();
      expect((await reading).done).toBe(true);
      const left = client.watch({ prefix });
      await left.ready;
      await client.put(key('a'), '1');
      for await (const event of left.events()) {
        expect(event.entry.text).toBe('1');
        break;
      }
      expect(left.isEnded).toBe(true);
    });
  });

  describe('a lease', () => {
    test('ends with its keys when it is released', async () => {
      const lease = await client.lease(60);
      await client.put(key('a'), 'x', { lease });
      expect((await client.get(key('a')))?.lease).toBe(lease.id);
      const state = await client.leases.timeToLive(lease, { keys: true });
      expect(state).toMatchObject({ grantedSeconds: 60, keys: [Buffer.from(key('a'))] });
      expect(state.leftSeconds).toBeGreaterThan(50);
      expect(await client.leases.list()).toContain(lease.id);
      await lease.release();
      expect(await client.get(key('a'))).toBeNull();
      expect(lease.isAlive).toBe(false);
      expect(lease.signal.aborted).toBe(false);
      expect((await client.leases.timeToLive(lease)).leftSeconds).toBeNull();
    });

    test('is kept alive, and lost when the server has ended it', async () => {
      const lease = await client.lease(2);
      const left = await client.leases.timeToLive(lease);
      await client.leases.revoke(lease);
      const error = await lease.lost;
      expect(error).toMatchObject({ code: 'FLOTILLA_LEASE_LOST' });
      expect(lease.signal.reason).toBe(error);
      expect(left.leftSeconds).not.toBeNull();
    });
  });
});

async function take(
  watch: AsyncIterator<WatchBatch> & { close(): void },
  count: number,
): Promise<readonly WatchBatch[]> {
  const batches: WatchBatch[] = [];
  while (batches.length < count) {
    const { done, value } = await watch.next();
    if (done === true) throw new Error('the watch has ended');
    batches.push(value);
  }
  watch.close();
  return batches;
}
