import { DeleteRangeRequest, EventType, PutRequest, TxnRequest, WatchCreateRequest } from '@flotilla/wire';
import type { RequestOp, WatchResponse } from '@flotilla/wire';
import { describe, expect, test } from 'vitest';
import { Harness } from '../../test/harness.ts';
import { toBytes } from '../../test/model.ts';
import type { WatchHubOptions } from './hub.ts';
import type { WatchStream } from './stream.ts';

/** What a test says of a response: fields that are not at their default. */
function plain(response: WatchResponse): Record<string, unknown> {
  const { watchId, created, canceled, compactRevision, cancelReason, fragment, events, header } = response;
  const result: Record<string, unknown> = { watchId, revision: header!.revision };
  if (created) result['created'] = true;
  if (canceled) result['canceled'] = true;
  if (compactRevision !== 0) result['compactRevision'] = compactRevision;
  if (cancelReason !== '') result['cancelReason'] = cancelReason;
  if (fragment) result['fragment'] = true;
  if (events.length > 0) {
    result['events'] = events.map(({ type, kv, prevKv }) => {
      const key = Buffer.from(kv!.key).toString();
      const change =
        type === EventType.DELETE ? `${key} deleted` : `${key}=${Buffer.from(kv!.value).toString()}`;
      const previous = prevKv === null ? '' : ` was ${Buffer.from(prevKv.value).toString()}`;
      return `${change} at ${kv!.modRevision}${previous}`;
    });
  }
  return result;
}

class Client {
  readonly responses: Record<string, unknown>[] = [];
  readonly stream: WatchStream;
  slow = false;

  constructor(harness: Harness) {
    this.stream = harness.database.watches.open({
      send: (response) => {
        this.responses.push(plain(response));
        return !this.slow;
      },
    });
  }

  watch(key: string, rangeEnd = '', options: Partial<WatchCreateRequest> = {}): void {
    this.stream.create(
      WatchCreateRequest.create({ key: toBytes(key), rangeEnd: toBytes(rangeEnd), ...options }),
    );
  }

  /** What came since the last call. */
  async taken(harness: Harness, forMs = 100): Promise<Record<string, unknown>[]> {
    await harness.platform.advance(forMs);
    return this.responses.splice(0);
  }
}

async function begin(watch: Partial<WatchHubOptions> = {}): Promise<{ harness: Harness; client: Client }> {
  const harness = await Harness.open({ watch });
  return { harness, client: new Client(harness) };
}

describe('creating a watch', () => {
  test('from now on tells what comes', async () => {
    const { harness, client } = await begin();
    harness.put('a', '0');
    client.watch('a');
    harness.put('a', '1');
    harness.put('b', 'unseen');
    harness.remove('a');
    expect(await client.taken(harness)).toEqual([
      { watchId: 0, revision: 2, created: true },
      { watchId: 0, revision: 3, events: ['a=1 at 3'] },
      { watchId: 0, revision: 5, events: ['a deleted at 5'] },
    ]);
  });

  test('from a past revision tells history first', async () => {
    const { harness, client } = await begin();
    for (const value of ['1', '2', '3']) harness.put('a', value);
    client.watch('a', '', { startRevision: 3, prevKv: true });
    expect(await client.taken(harness)).toEqual([
      { watchId: 0, revision: 4, created: true },
      { watchId: 0, revision: 4, events: ['a=2 at 3 was 1', 'a=3 at 4 was 2'] },
    ]);
  });

  test('from a future revision waits for it', async () => {
    const { harness, client } = await begin();
    client.watch('a', '', { startRevision: 4 });
    for (const value of ['1', '2', '3']) harness.put('a', value);
    expect(await client.taken(harness)).toEqual([
      { watchId: 0, revision: 1, created: true },
      { watchId: 0, revision: 4, events: ['a=3 at 4'] },
    ]);
  });

  test('from a negative revision, of an empty range or with a taken id is refused with id −1', async () => {
    const { harness, client } = await begin();
    client.watch('a', '', { startRevision: -1 });
    client.watch('b', 'a');
    client.watch('b', 'b');
    client.watch('a', '', { watchId: 7 });
    client.watch('a', '', { watchId: 7 });
    const refused = { watchId: -1, revision: 1, created: true, canceled: true };
    expect(await client.taken(harness)).toEqual([
      { ...refused, cancelReason: 'etcdserver: mvcc: required revision has been compacted' },
      { ...refused, cancelReason: 'mvcc: watcher range is empty' },
      { ...refused, cancelReason: 'mvcc: watcher range is empty' },
      { watchId: 7, revision: 1, created: true },
      { ...refused, cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream' },
    ]);
  });

  test('gives ids in order, around those that the client chose', async () => {
    const { harness, client } = await begin();
    client.watch('a');
    client.watch('a', '', { watchId: 1 });
    client.watch('a');
    const created = await client.taken(harness);
    expect(created.map((response) => response['watchId'])).toEqual([0, 1, 2]);
  });

  test('without a key watches from the least key on', async () => {
    const { harness, client } = await begin();
    client.watch('', '\0');
    harness.put('\0', 'least');
    harness.put('z', 'last');
    expect((await client.taken(harness)).slice(1).map((response) => response['events'])).toEqual([
      ['\0=least at 2'],
      ['z=last at 3'],
    ]);
  });

  test('below the compaction revision is answered with created, then canceled', async () => {
    const { harness, client } = await begin();
    for (const value of ['1', '2', '3']) harness.put('a', value);
    harness.compact(3);
    client.watch('a', '', { startRevision: 2 });
    client.watch('a', '', { startRevision: 3, prevKv: true });
    expect(await client.taken(harness)).toEqual([
      { watchId: 0, revision: 4, created: true },
      { watchId: 1, revision: 4, created: true },
      { watchId: 0, revision: 0, canceled: true, compactRevision: 3 },
      { watchId: 1, revision: 4, events: ['a=2 at 3', 'a=3 at 4 was 2'] },
    ]);
  });
});

test('a watch may start at the compaction revision, long after the compaction', async () => {
  const { harness, client } = await begin();
  for (const value of ['1', '2', '3']) {
    harness.put('a', value);
    // Each event in a commit, and so in a chunk, of its own.
    await harness.rest();
  }
  harness.compact(3);
  await harness.rest();
  client.watch('a', '', { startRevision: 3 });
  expect((await client.taken(harness)).slice(1)).toEqual([
    { watchId: 0, revision: 4, events: ['a=2 at 3', 'a=3 at 4'] },
  ]);
});

describe('a watch', () => {
  test('of a range or a prefix sees its keys only, filtered as asked', async () => {
    const { harness, client } = await begin();
    client.watch('b', 'd', { filters: [0] });
    client.watch('b', 'd', { filters: [1] });
    for (const key of ['a', 'b', 'cc', 'd']) harness.put(key, '1');
    harness.remove('a', '\0');
    const responses = (await client.taken(harness)).slice(2);
    expect(responses).toEqual([
      { watchId: 1, revision: 3, events: ['b=1 at 3'] },
      { watchId: 1, revision: 4, events: ['cc=1 at 4'] },
      { watchId: 0, revision: 6, events: ['b deleted at 6', 'cc deleted at 6'] },
    ]);
  });

  test('is told no more once it is canceled', async () => {
    const { harness, client } = await begin();
    client.watch('a');
    harness.put('a', '1');
    client.stream.cancel(0);
    client.stream.cancel(0);
    client.stream.cancel(99);
    harness.put('a', '2');
    expect((await client.taken(harness)).slice(1)).toEqual([
      { watchId: 0, revision: 2, events: ['a=1 at 2'] },
      { watchId: 0, revision: 2, canceled: true },
    ]);
    expect(harness.database.watches.watcherCount).toBe(0);
  });

  test('of a key that one transaction puts and deletes sees both, and what was there before', async () => {
    const { harness, client } = await begin();
    harness.put('a', 'before');
    client.watch('a', '', { prevKv: true });
    const key = toBytes('a');
    harness.txn({
      success: [
        nested({ case: 'requestPut', value: PutRequest.create({ key, value: toBytes('between') }) }),
        nested({ case: 'requestDeleteRange', value: DeleteRangeRequest.create({ key }) }),
      ],
    });
    const events = ['a=between at 3 was before', 'a deleted at 3 was before'];
    expect((await client.taken(harness)).slice(1)).toEqual([{ watchId: 0, revision: 3, events }]);
    await harness.rest();
    client.watch('a', '', { prevKv: true, startRevision: 3 });
    expect((await client.taken(harness)).slice(1)).toEqual([{ watchId: 1, revision: 3, events }]);
  });

  test('of a key that one transaction deletes and puts again sees a creation with nothing before it', async () => {
    const { harness, client } = await begin();
    harness.put('a', 'before');
    client.watch('a', '', { prevKv: true });
    const key = toBytes('a');
    harness.txn({
      success: [
        nested({ case: 'requestDeleteRange', value: DeleteRangeRequest.create({ key }) }),
        nested({ case: 'requestPut', value: PutRequest.create({ key, value: toBytes('again') }) }),
      ],
    });
    const events = ['a deleted at 3 was before', 'a=again at 3'];
    expect((await client.taken(harness)).slice(1)).toEqual([{ watchId: 0, revision: 3, events }]);
    await harness.rest();
    client.watch('a', '', { prevKv: true, startRevision: 3 });
    expect((await client.taken(harness)).slice(1)).toEqual([{ watchId: 1, revision: 3, events }]);
  });

  test('in fragments is cut, the last fragment without the mark', async () => {
    const { harness, client } = await begin({ fragmentBytes: 200 });
    client.watch('k', 'l', { fragment: true });
    client.watch('k', 'l');
    const names = ['k1', 'k2', 'k3', 'k4', 'k5'];
    for (const name of names) harness.put(name, name);
    await client.taken(harness);
    harness.remove('k', 'l');
    const responses = await client.taken(harness);
    const fragments = responses.filter((response) => response['watchId'] === 0);
    expect(fragments.map((response) => response['fragment'])).toEqual([true, undefined]);
    expect(fragments.flatMap((response) => response['events'])).toHaveLength(5);
    expect(responses.filter((response) => response['watchId'] === 1)).toHaveLength(1);
  });
});

describe('progress', () => {
  test('on request is told once for the stream, if every watch of it is synced', async () => {
    const { harness, client } = await begin();
    client.stream.requestProgress();
    expect(await client.taken(harness)).toEqual([]);
    harness.put('a', '1');
    client.watch('a');
    client.watch('b');
    client.stream.requestProgress();
    expect((await client.taken(harness)).slice(2)).toEqual([{ watchId: -1, revision: 2 }]);
    client.watch('a', '', { startRevision: 1 });
    client.stream.requestProgress();
    expect((await client.taken(harness)).map((response) => response['watchId'])).toEqual([2, 2]);
    client.watch('a', '', { startRevision: 99 });
    client.stream.requestProgress();
    expect(await client.taken(harness)).toEqual([{ watchId: 3, revision: 2, created: true }]);
  });

  test('is told from time to time to watches that asked for it and saw nothing', async () => {
    const { harness, client } = await begin({ progressIntervalMs: 1_000 });
    client.watch('a', '', { progressNotify: true });
    client.watch('a');
    harness.put('b', '1');
    expect((await client.taken(harness, 1_200)).slice(2)).toEqual([{ watchId: 0, revision: 2 }]);
    harness.put('a', '1');
    expect((await client.taken(harness, 1_000)).map((response) => response['watchId'])).toEqual([0, 1]);
    expect(await client.taken(harness, 1_100)).toEqual([{ watchId: 0, revision: 3 }]);
  });
});

describe('a slow client', () => {
  const bounds = { streamBufferResponses: 10, streamBufferBytes: 10_000 };

  test('holds up nobody, costs bounded memory, and misses nothing', async () => {
    const { harness, client } = await begin(bounds);
    const other = new Client(harness);
    client.watch('k', 'l');
    other.watch('k', 'l');
    await client.taken(harness);
    client.slow = true;
    for (let i = 0; i < 500; i += 1) {
      harness.put('k', `${i}`);
      await harness.platform.advance(1);
    }
    expect(client.responses).toHaveLength(1);
    expect(client.stream.blocked).toBe(true);
    expect(other.responses).toHaveLength(501);
    client.slow = false;
    client.stream.drained();
    const events = (await client.taken(harness)).flatMap((response) => response['events']);
    expect(events).toEqual(Array.from({ length: 500 }, (_, i) => `k=${i} at ${i + 2}`));
    harness.put('k', 'live');
    expect(await client.taken(harness)).toEqual([{ watchId: 0, revision: 502, events: ['k=live at 502'] }]);
  });

  test('that history has left behind is canceled', async () => {
    const { harness, client } = await begin(bounds);
    client.watch('k', 'l');
    await client.taken(harness);
    client.slow = true;
    for (let i = 0; i < 100; i += 1) {
      harness.put('k', `${i}`);
      await harness.platform.advance(1);
    }
    harness.compact(90);
    await harness.rest();
    client.slow = false;
    client.stream.drained();
    const last = (await client.taken(harness)).at(-1);
    expect(last).toEqual({ watchId: 0, revision: 0, canceled: true, compactRevision: 90 });
  });

  test('that leaves is forgotten', async () => {
    const { harness, client } = await begin(bounds);
    client.watch('k', 'l');
    client.watch('k', 'l', { startRevision: 1 });
    client.stream.close();
    client.stream.close();
    harness.put('k', '1');
    expect(await client.taken(harness)).toEqual([]);
    expect(harness.database.stats).toMatchObject({ watchers: 0, watchStreams: 0 });
  });
});

/** An operation in a transaction of its own, where the same key may be written again. */
function nested(request: RequestOp['request']): RequestOp {
  return { request: { case: 'requestTxn', value: TxnRequest.create({ success: [{ request }] }) } };
}
