import { KeyValue } from '@flotilla/wire';
import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import { ShardMap, type ShardRow } from '../order/shard-map.ts';
import { everyKeySpan } from '../shard/key-span.ts';
import { type EventRequest, ShardEvent } from './event-page.ts';
import { MergedHistory } from './merged-history.ts';

const shards = 60;
const valueBytes = 1_000;
const keyOf = (shard: number): Uint8Array => Uint8Array.of(shard + 1);

const rows = Array.from({ length: shards }, (_, shard): ShardRow => {
  const from = shard === 0 ? new Uint8Array(0) : keyOf(shard);
  const span = { from, to: shard === shards - 1 ? null : keyOf(shard + 1) };
  return { shard, span, range: 1, membership: 1, nodes: [1] };
});

/** One write of each shard after the other; and one of all of them at once, at every tenth revision. */
function eventsOf(shard: number, through: number): ShardEvent[] {
  const events: ShardEvent[] = [];
  for (let revision = 2; revision <= through; revision += 1) {
    const isItsOwn = revision % shards === shard && revision % 10 !== 0;
    if (!isItsOwn && revision % 10 !== 0) continue;
    const value = new Uint8Array(revision % 10 === 0 ? 1 : valueBytes);
    const kv = KeyValue.create({ key: keyOf(shard), value, modRevision: revision });
    events.push(new ShardEvent(kv, false, null, shard));
  }
  return events;
}

test('a page of many shards is bounded by what it takes, and pages have everything in order', async () => {
  const last = 400;
  let told = 0;
  const history = new MergedHistory({
    platform: new VirtualPlatform(1),
    order: () => ({
      index: 1,
      frontier: last,
      compactRevision: -1,
      map: new ShardMap(rows),
      lastFact: () => 1,
    }),
    newest: () => Promise.resolve(last),
    read: async ({ shard, from, through, maxBytes }: EventRequest) => {
      await Promise.resolve();
      const all = eventsOf(shard, through).filter(({ revision }) => revision >= from.revision);
      const most = Math.max(1, Math.ceil(maxBytes / valueBytes));
      const events = all.slice(0, most);
      const next = all[most];
      told += events.length;
      return { kind: 'page', events, next: next === undefined ? null : { revision: next.revision, skip: 0 } };
    },
  });
  const revisions: number[] = [];
  let largest = 0;
  for (let from = 2; from <= last;) {
    const { events, through, missing } = await history.read({
      parts: [{ span: everyKeySpan, from }],
      through: last,
      previous: false,
      live: false,
      maxEvents: 200,
      maxBytes: 20 * valueBytes,
    });
    expect(missing).toEqual([]);
    expect(through).toBeGreaterThanOrEqual(from);
    const bytes = (events as readonly ShardEvent[]).reduce(
      (sum, { kv }) => sum + kv.value.length + kv.key.length,
      0,
    );
    largest = Math.max(largest, bytes);
    expect(events.length).toBeLessThanOrEqual(200);
    for (const { revision } of events) revisions.push(revision);
    from = through + 1;
  }
  const expected = rows.flatMap(({ shard }) => eventsOf(shard, last).map(({ revision }) => revision));
  expect(revisions).toEqual(expected.sort((a, b) => a - b));
  expect(largest).toBeLessThanOrEqual(20 * valueBytes);
  expect(largest).toBeGreaterThan(5 * valueBytes);
  // What does not fit is not read again and again.
  expect(told).toBeLessThan(4 * revisions.length);
});
