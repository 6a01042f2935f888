import { expect, test } from 'vitest';
import { VirtualPlatform } from '../../test/virtual-platform.ts';
import { MemoryImage, MemoryStorage } from '../memory/memory-storage.ts';
import { eventKey } from '../mvcc/keys.ts';
import { emptySummary } from '../mvcc/state.ts';
import { storageTables, Table } from '../mvcc/tables.ts';
import { everyKeySpan } from '../shard/key-span.ts';
import { orderShard } from '../shard/shard-entry.ts';
import type { TableWrites } from '../storage.ts';
import { NodeStore } from './node-store.ts';
import { ShardRowName, shardRowKey } from './shard-rows.ts';
import { encodeStoreRow } from './store-row.ts';

const eventRows = 10_000;

/** What a storage has of shard 0: its own row, and the events of log 0, which are its own or nobody's. */
function contents(ownLog: number): TableWrites[] {
  const tables: TableWrites[] = storageTables.map(() => ({ keys: [], values: [] }));
  const row = { span: everyKeySpan, summary: emptySummary, unevenThrough: 0, closedLogs: [], sum: null };
  const key = shardRowKey(orderShard, ShardRowName.STORE);
  tables[Table.META] = { keys: [key], values: [encodeStoreRow({ ...row, ownLog })] };
  const keys = Array.from({ length: eventRows }, (_, i) => eventKey(0, i + 1, 0));
  tables[Table.EVENTS] = { keys, values: keys.map(() => Uint8Array.of(1)) };
  return tables;
}

function rowsOfEvents(storage: MemoryStorage): number {
  let count = 0;
  const cursor = storage.scan(Table.EVENTS, { from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) count += 1;
  return count;
}

test('what is being removed of a log stops where a snapshot puts another in its place', async () => {
  const platform = new VirtualPlatform();
  const options = { image: new MemoryImage(), maxCommitDelayMs: 0, maxFlushDelayMs: 0 };
  const storage = new MemoryStorage(platform, storageTables, options);
  await settled(platform, storage.commit({ clear: false, tables: contents(5) }).committed);
  const store = new NodeStore(platform, storage);
  await platform.advance(3);
  await settled(platform, store.commitNow());
  const left = rowsOfEvents(storage);
  expect([left > 0, left < eventRows]).toEqual([true, true]);
  expect(store.hasRoom(everyKeySpan)).toBe(true);
  await settled(platform, store.beginReplacement());
  expect(store.hasRoom(everyKeySpan)).toBe(false);
  await settled(platform, storage.commit({ clear: true, tables: contents(0) }).committed);
  store.endReplacement();
  expect(store.hasRoom(everyKeySpan)).toBe(true);
  await platform.advance(1_000);
  await settled(platform, store.commitNow());
  expect(rowsOfEvents(storage)).toBe(eventRows);
});

async function settled<Result>(platform: VirtualPlatform, promise: Promise<Result>): Promise<Result> {
  await platform.advance(1);
  return await promise;
}
