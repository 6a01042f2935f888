import { eventKey, eventsEnd, logOfEvent } from '../mvcc/keys.ts';
import { Table } from '../mvcc/tables.ts';
import { covers, type KeySpan } from '../shard/key-span.ts';
import { orderShard, type ShardId } from '../shard/shard-entry.ts';
import type { StorageReader } from '../storage.ts';
import { decodeMark, type ShardMark } from './shard-mark.ts';
import {
  nameOfRow,
  ShardRowName,
  shardOfRow,
  shardRowKey,
  shardRowsOf,
  shardRowsStart,
} from './shard-rows.ts';
import { decodeStoreRow, type StoreRow } from './store-row.ts';

/** A shard whose rows are in the storage, as they were at the start. */
export interface StoredShard {
  readonly shard: ShardId;
  /** The rest of each row's key (see `shardRowKey`) and its value; sorted. Empty where {@link StoredShard.mark} is not null. */
  readonly rows: readonly StoredRow[];
  /** Not null: it has no state. An install or a removal was cut off; what it left is being removed already. */
  readonly mark: ShardMark | null;
}

export interface StoredRow {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** What a storage has of shards when it is opened. */
export interface StoredContents {
  /** Shard 0 only where a mark stands for it. */
  readonly shards: readonly StoredShard[];
  /** Others have all keys of these: they were taken over, and rows that they had in META were left behind. */
  readonly leftOver: readonly ShardId[];
  /** Event logs that have rows, and those that some shard lists. */
  readonly logs: readonly number[];
  readonly listedLogs: ReadonlySet<number>;
}

/** Throws `FLOTILLA_STORAGE_VERSION`. */
export function readStored(storage: StorageReader): StoredContents {
  const listedLogs = new Set<number>();
  const database = readDatabaseRow(storage);
  if (database.row !== null) list(database.row, listedLogs);
  else if (database.hasState) listedLogs.add(0);
  const shards = storedShards(storage);
  const spans = new Map<ShardId, KeySpan>();
  if (database.row !== null) spans.set(orderShard, database.row.span);
  for (const { shard, rows } of shards) {
    for (const { name, value } of rows) {
      if (name.length !== 1 || name[0] !== ShardRowName.STORE) continue;
      const row = decodeStoreRow(value);
      spans.set(shard, row.span);
      list(row, listedLogs);
    }
  }
  const leftOver = shards.map(({ shard }) => shard).filter((shard) => isLeftOver(shard, spans));
  return {
    shards: shards.filter(({ shard }) => !leftOver.includes(shard)),
    leftOver,
    logs: logsIn(storage),
    listedLogs,
  };
}

/** A key is one replica's: of two that say so, the one that has more has taken the other over. */
function isLeftOver(shard: ShardId, spans: ReadonlyMap<ShardId, KeySpan>): boolean {
  const own = spans.get(shard);
  if (own === undefined) return false;
  return [...spans.values()].some((span) => covers(span, own) && !covers(own, span));
}

/** What shard 0 has of the store; row null: everything is its own, as where there are no shards. */
export function readDatabaseRow(storage: StorageReader): {
  readonly row: StoreRow | null;
  readonly hasState: boolean;
} {
  const hasState = storage.get(Table.META, shardRowKey(orderShard, ShardRowName.MARK)) === null;
  const row = storage.get(Table.META, shardRowKey(orderShard, ShardRowName.STORE));
  return { row: row === null || !hasState ? null : decodeStoreRow(row), hasState };
}

/** Keys of all rows of a shard in META. */
export function rowKeysOf(storage: StorageReader, shard: ShardId): Uint8Array[] {
  const keys: Uint8Array[] = [];
  const range = { from: shardRowsOf(shard), to: shardRowsOf(shard + 1), reverse: false };
  for (const cursor = storage.scan(Table.META, range); cursor.key !== null; cursor.advance()) {
    keys.push(cursor.key);
  }
  return keys;
}

function storedShards(storage: StorageReader): StoredShard[] {
  const shards = new Map<ShardId, StoredRow[]>();
  const cursor = storage.scan(Table.META, { from: shardRowsStart, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    const shard = shardOfRow(cursor.key);
    const rows = shards.get(shard);
    const row = { name: nameOfRow(cursor.key), value: cursor.value };
    if (rows === undefined) shards.set(shard, [row]);
    else rows.push(row);
  }
  const stored: StoredShard[] = [];
  for (const [shard, rows] of shards) {
    const mark = rows.find(({ name }) => name.length === 1 && name[0] === ShardRowName.MARK);
    if (mark !== undefined) stored.push({ shard, rows: [], mark: decodeMark(mark.value) });
    else if (shard !== orderShard) stored.push({ shard, rows, mark: null });
  }
  return stored;
}

function list({ ownLog, closedLogs }: StoreRow, listed: Set<number>): void {
  if (ownLog !== null) listed.add(ownLog);
  for (const { log } of closedLogs) listed.add(log);
}

/** Looks for the first row after those of each log. */
function logsIn(storage: StorageReader): number[] {
  const logs: number[] = [];
  for (let from = eventKey(0, 0, 0); ;) {
    const cursor = storage.scan(Table.EVENTS, { from, to: null, reverse: false });
    if (cursor.key === null) return logs;
    const log = logOfEvent(cursor.key);
    cursor.close();
    logs.push(log);
    from = eventsEnd(log);
  }
}
