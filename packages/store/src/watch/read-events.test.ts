import { PutRequest, type RequestOp } from '@flotilla/wire';
import { TxnRequest } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { toBytes } from '../../test/model.ts';
import { ShardedHarness } from '../../test/sharded-harness.ts';
import {
  decodeEventAnswer,
  decodeEventRequest,
  encodeEventAnswer,
  encodeEventRequest,
} from './event-codec.ts';
import type { EventAnswer, EventRequest } from './event-page.ts';
import { readShardEvents } from './read-events.ts';

const everything = { from: new Uint8Array(0), to: null };

const asked: EventRequest = {
  shard: 0,
  lastFact: 0,
  spans: [everything],
  from: { revision: 2, skip: 0 },
  through: 100,
  previous: false,
  live: false,
  maxEvents: 100,
  maxBytes: 1_000_000,
};

async function sharded(): Promise<ShardedHarness> {
  const harness = await ShardedHarness.open();
  harness.begin();
  harness.openSession('s');
  return harness;
}

let requests = 0;

function put(harness: ShardedHarness, ...keys: readonly string[]): void {
  const success = keys.map((key): RequestOp => {
    const value = PutRequest.create({ key: toBytes(key), value: toBytes(`${key}!`) });
    return { request: { case: 'requestPut', value } };
  });
  requests += 1;
  harness.write({ kind: 'txn', request: TxnRequest.create({ success }) }, requests);
}

/** As another node asks. */
function read(harness: ShardedHarness, request: Partial<EventRequest>): EventAnswer {
  const arrived = decodeEventRequest(encodeEventRequest({ ...asked, ...request }));
  return decodeEventAnswer(encodeEventAnswer(readShardEvents(harness.order.own, arrived)));
}

function keysOf(answer: EventAnswer): string[] {
  if (answer.kind !== 'page') throw new Error(answer.kind);
  return answer.events.map(({ key, revision }) => `${Buffer.from(key).toString()}@${revision}`);
}

test('a page has whole revisions', async () => {
  const harness = await sharded();
  put(harness, 'c', 'a');
  put(harness, 'b', 'd', 'e');
  put(harness, 'f');
  const first = read(harness, { maxEvents: 3 });
  expect(keysOf(first)).toEqual(['c@2', 'a@2', 'b@3', 'd@3', 'e@3']);
  expect(first).toMatchObject({ next: { revision: 4, skip: 0 } });
  const rest = read(harness, { from: { revision: 4, skip: 0 } });
  expect(keysOf(rest)).toEqual(['f@4']);
  expect(rest).toMatchObject({ next: null });
});

test('a revision that is too large for a page comes in parts, each once', async () => {
  const harness = await sharded();
  const keys = Array.from({ length: 20 }, (_, i) => `k${10 + i}`);
  put(harness, 'a');
  put(harness, ...keys);
  const got: string[] = [];
  let from: EventRequest['from'] | null = asked.from;
  let pages = 0;
  while (from !== null) {
    const answer = read(harness, { from, maxEvents: 1 });
    got.push(...keysOf(answer));
    from = answer.kind === 'page' ? answer.next : null;
    pages += 1;
  }
  expect(got).toEqual(['a@2', ...keys.map((key) => `${key}@3`)]);
  expect(pages).toBe(6);
});

test('a page has the keys of its spans only, up to its revision, and what was there before', async () => {
  const harness = await sharded();
  put(harness, 'a', 'b', 'c');
  put(harness, 'b', 'c');
  put(harness, 'b');
  const answer = read(harness, {
    spans: [
      { from: toBytes('a'), to: toBytes('b') },
      { from: toBytes('c'), to: toBytes('d') },
    ],
    through: 3,
    previous: true,
  });
  expect(keysOf(answer)).toEqual(['a@2', 'c@2', 'c@3']);
  if (answer.kind !== 'page') throw new Error('there is a page');
  expect(answer.events.map(({ previous }) => previous?.modRevision ?? null)).toEqual([null, null, 2]);
});

test('a replica that has not come as far, or has other keys, says so', async () => {
  const harness = await sharded();
  expect(read(harness, { lastFact: 1_000 })).toEqual({ kind: 'behind' });
  const { span } = harness.order.own;
  harness.order.own.span = { from: span.from, to: toBytes('m') };
  expect(read(harness, {})).toEqual({ kind: 'elsewhere' });
});

test('what is compacted is refused; whoever had everything until now is told as long as it is there', async () => {
  const harness = await sharded();
  for (let i = 0; i < 4; i += 1) put(harness, 'a');
  const origin = { session: 1, request: (requests += 1), floor: 1 };
  harness.say({ kind: 'compact', origin, user: null, revision: 4 });
  const refused = { kind: 'compacted', revision: 4 };
  expect(read(harness, {})).toEqual(refused);
  expect(keysOf(read(harness, { from: { revision: 4, skip: 0 } }))).toEqual(['a@4', 'a@5']);
  const live = read(harness, { live: true, previous: true, from: { revision: 3, skip: 0 } });
  expect(keysOf(live)).toEqual(['a@3', 'a@4', 'a@5']);
  if (live.kind !== 'page') throw new Error('there is a page');
  expect(live.events.map(({ previous }) => previous?.modRevision)).toEqual([2, 3, 4]);
  await harness.rest();
  expect(read(harness, { live: true, from: { revision: 3, skip: 0 } })).toEqual(refused);
});
