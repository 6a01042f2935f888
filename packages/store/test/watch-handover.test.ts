import { emptyConfiguration, type Index, type Term } from '@flotilla/raft';
import { PutRequest, WatchCreateRequest, type WatchResponse } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { encodeOrderEntry } from '../src/order/order-entry-codec.ts';
import type { OrderEntry } from '../src/order/order-entry.ts';
import { encodeProposal, type ProposalKind } from '../src/proposal.ts';
import { MergedHistory } from '../src/watch/merged-history.ts';
import { readShardEvents } from '../src/watch/read-events.ts';
import { toBytes } from './model.ts';
import { ShardedHarness, threeNodes } from './sharded-harness.ts';

class Client {
  readonly told: string[] = [];
  readonly harness: ShardedHarness;

  constructor(harness: ShardedHarness) {
    this.harness = harness;
  }

  watch(startRevision: number): void {
    const stream = this.harness.database.watches.open({ send: (response) => this.#take(response) });
    const request = { key: toBytes('a'), rangeEnd: toBytes('z'), startRevision };
    stream.create(WatchCreateRequest.create(request));
  }

  #take({ created, canceled, events, header }: WatchResponse): boolean {
    if (created) this.told.push(`created at ${header!.revision}`);
    if (canceled) this.told.push('canceled');
    for (const { kv } of events) this.told.push(`${Buffer.from(kv!.key).toString()} at ${kv!.modRevision}`);
    return true;
  }

  async taken(): Promise<string[]> {
    await this.harness.platform.advance(100);
    return this.told.splice(0);
  }
}

function apply(harness: ShardedHarness, proposals: readonly (readonly [ProposalKind, Uint8Array])[]): void {
  const { index } = harness.database.applied;
  const entries = proposals.map(([kind, request], i) => ({
    index: (index + 1 + i) as Index,
    term: 1 as Term,
    kind: 'command' as const,
    payload: encodeProposal({ kind, requestId: 1, request }),
  }));
  harness.database.apply(entries);
}

function put(key: string): Uint8Array {
  return PutRequest.encode(PutRequest.create({ key: toBytes(key), value: toBytes(key) }));
}

function ownPut(key: string, request: number): Uint8Array {
  const origin = { session: 1, request, floor: 1 };
  const write = { kind: 'put', request: PutRequest.decode(put(key)) } as const;
  const entry: OrderEntry = {
    kind: 'own',
    entry: { kind: 'request', origin, user: null, range: 1, write, absent: [] },
  };
  return encodeOrderEntry(entry);
}

function follow(harness: ShardedHarness): () => void {
  const history = new MergedHistory({
    platform: harness.platform,
    order: () => harness.order,
    newest: () => Promise.resolve(harness.order.frontier),
    read: (request) => Promise.resolve(readShardEvents(harness.order.own, request)),
  });
  return harness.database.watches.follow(history);
}

const begin = ['order', encodeOrderEntry({ kind: 'begin', nodes: threeNodes })] as const;
const session = ['order', encodeOrderEntry({ kind: 'open-session', name: 's', owner: '' })] as const;

test('where an order begins open watches go on, with nothing left out and nothing told twice', async () => {
  const harness = await ShardedHarness.open();
  const client = new Client(harness);
  apply(harness, [['put', put('b')]]);
  client.watch(0);
  expect(await client.taken()).toEqual(['created at 2']);
  // All in one batch, as after a restart.
  apply(harness, [['put', put('c')], begin, session, ['order', ownPut('d', 1)], ['order', ownPut('e', 2)]]);
  expect(await client.taken()).toEqual(['c at 3']);
  // One that begins now, and one that begins in the past, wait for whoever can tell them.
  client.watch(0);
  client.watch(2);
  apply(harness, [['order', ownPut('f', 3)]]);
  expect(await client.taken()).toEqual(['created at 3']);
  const grown = follow(harness);
  const told = await client.taken();
  expect(told).toContain('created at 6');
  expect(told.filter((line) => line !== 'created at 6').sort()).toEqual(
    ['d at 4', 'e at 5', 'f at 6', 'b at 2', 'c at 3', 'd at 4', 'e at 5', 'f at 6'].sort(),
  );
  apply(harness, [['order', ownPut('g', 4)]]);
  grown();
  expect(await client.taken()).toEqual(['g at 7', 'g at 7', 'g at 7']);
});

test('whoever may not watch any more is told what happened before, and nothing after', async () => {
  const harness = await ShardedHarness.open();
  apply(harness, [['put', put('b')], begin, session]);
  const grown = follow(harness);
  const told: string[] = [];
  let mayWatch = true;
  const judge = (): string | null => (mayWatch ? null : 'denied');
  const stream = harness.database.watches.open({
    gate: { admit: judge, review: judge },
    send: ({ canceled, cancelReason, events }) => {
      for (const { kv } of events) told.push(`at ${kv!.modRevision}`);
      if (canceled) told.push(cancelReason);
      return true;
    },
  });
  stream.create(WatchCreateRequest.create({ key: toBytes('a'), rangeEnd: toBytes('z') }));
  await harness.platform.advance(10);
  apply(harness, [['order', ownPut('c', 1)]]);
  mayWatch = false;
  harness.database.watches.review();
  apply(harness, [['order', ownPut('d', 2)]]);
  grown();
  await harness.platform.advance(100);
  expect(told).toEqual(['at 3', 'denied']);
});

test('many watches that are made at once ask once, or twice, where they begin', async () => {
  const harness = await ShardedHarness.open();
  apply(harness, [begin]);
  let asked = 0;
  harness.database.watches.follow({
    revision: 1,
    compactRevision: -1,
    newest: async () => {
      asked += 1;
      await Promise.resolve();
      return asked;
    },
    read: ({ through }) => Promise.resolve({ events: [], through, missing: [] }),
  });
  const created: string[] = [];
  const stream = harness.database.watches.open({
    send: ({ watchId, header }) => created.push(`${watchId} at ${header!.revision}`) > 0,
  });
  for (let i = 0; i < 50; i += 1) stream.create(WatchCreateRequest.create({ key: toBytes('a') }));
  await harness.platform.advance(10);
  expect(created).toEqual(Array.from({ length: 50 }, (_, i) => `${i} at ${i === 0 ? 1 : 2}`));
});

test('a watch of a member that is given the state of a sharded cluster goes on where it was', async () => {
  const [source, target] = [await ShardedHarness.open(), await ShardedHarness.open()];
  for (const one of [source, target]) apply(one, [['put', put('b')]]);
  const client = new Client(target);
  client.watch(0);
  expect(await client.taken()).toEqual(['created at 2']);
  apply(source, [['put', put('c')], begin, session, ['order', ownPut('d', 1)]]);
  const install = async (): Promise<void> => {
    const snapshot = source.database.snapshot();
    const chunks: Uint8Array[] = [];
    for await (const chunk of snapshot.chunks()) chunks.push(chunk);
    const meta = { ...source.database.applied, configuration: emptyConfiguration };
    const sink = await target.database.install(meta);
    for (const chunk of chunks) await sink.write(chunk);
    await sink.finish();
  };
  const installed = install();
  for (let i = 0; i < 20; i += 1) for (const { platform } of [source, target]) await platform.advance(50);
  await installed;
  follow(target);
  expect(await client.taken()).toEqual(['c at 3', 'd at 4']);
});

test('a database that is opened with an order holds its watches until it is told whom to ask', async () => {
  const harness = await ShardedHarness.open();
  apply(harness, [['put', put('b')], begin, session, ['order', ownPut('d', 1)]]);
  await harness.rest();
  await harness.restart();
  const client = new Client(harness);
  client.watch(1);
  expect(await client.taken()).toEqual(['created at 3']);
  follow(harness);
  expect(await client.taken()).toEqual(['b at 2', 'd at 3']);
});
