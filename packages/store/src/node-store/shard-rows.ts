import { writeUint32 } from '../encoding/byte-writer.ts';
import { readUint32 } from '../mvcc/keys.ts';
import type { ShardId } from '../shard/shard-entry.ts';

/**
 * Keys of the META table that begin with this byte are of shards: it, the shard's id in four bytes, and a name. All other
 * keys there are those of group 0, and as they were before there were shards.
 */
const shardRows = 0x80;
const prefixBytes = 5;

/** The first byte of a name. What is not named here is free for whoever has the shard. */
export const ShardRowName = {
  /** Instead of all others: the shard has no state. */
  MARK: 0,
  /** Span, revisions and event logs. */
  STORE: 1,
  /** Position in the log, and the encoded machine. */
  STATE: 2,
  /** From which snapshot the state came, until an entry after it is stored. */
  INSTALLED: 3,
  /** The sum of the state. */
  SUM: 4,
} as const;

export function shardRowKey(shard: ShardId, name: number): Uint8Array {
  const key = new Uint8Array(prefixBytes + 1);
  key[0] = shardRows;
  writeUint32(key, 1, shard);
  key[prefixBytes] = name;
  return key;
}

/** All rows of all shards: from here, to the end of the table. */
export const shardRowsStart: Uint8Array = Uint8Array.of(shardRows);

/** Where the rows of a shard begin; they end where those of the next begin. */
export function shardRowsOf(shard: ShardId): Uint8Array {
  return shardRowKey(shard, 0).subarray(0, prefixBytes);
}

export function shardOfRow(key: Uint8Array): ShardId {
  return readUint32(key, 1);
}

export function nameOfRow(key: Uint8Array): Uint8Array {
  return key.subarray(prefixBytes);
}
