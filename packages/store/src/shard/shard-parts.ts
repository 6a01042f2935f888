import { assert } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';

/**
 * A shard's state is kept in records, each with a key of its own, so that a commit writes those that have changed and no
 * more. The first byte of a key: what the record is of. Stored; a number is never used for anything else. They begin where
 * `ShardRowName` leaves room.
 */
export const ShardPart = {
  CORE: 16,
  /** Of one session: what is remembered of its requests. */
  MEMORY: 17,
  /** Sessions that are expired. */
  EXPIRED: 18,
  ACCESS: 19,
  /** One that is registered: the key says it all. */
  LEASE: 20,
} as const;

/** Null: there is no such record any more. The bytes are the taker's. */
export type WriteShardPart = (key: Uint8Array, record: Uint8Array | null) => void;

/** Every record of a shard. */
export type ShardRecords = Iterable<readonly [key: Uint8Array, record: Uint8Array]>;

export const shardPartKeys = {
  core: Uint8Array.of(ShardPart.CORE),
  expired: Uint8Array.of(ShardPart.EXPIRED),
  access: Uint8Array.of(ShardPart.ACCESS),
  memory(session: number): Uint8Array {
    writer.byte(ShardPart.MEMORY);
    writer.uint64(session);
    return writer.take();
  },
  lease(lease: bigint): Uint8Array {
    writer.byte(ShardPart.LEASE);
    writer.bigint64(lease);
    return writer.take();
  },
};

/** What the records of a shard say, sorted out. */
export interface SortedShardParts {
  readonly core: Uint8Array;
  readonly access: Uint8Array;
  readonly expired: Uint8Array;
  readonly memory: readonly (readonly [session: number, record: Uint8Array])[];
  readonly leases: readonly bigint[];
}

export function sortedShardParts(records: ShardRecords): SortedShardParts {
  const whole = new Map<number, Uint8Array>();
  const memory: [number, Uint8Array][] = [];
  const leases: bigint[] = [];
  for (const [key, record] of records) {
    const part = key[0] as number;
    if (part === ShardPart.MEMORY) memory.push([new ByteReader(key, 1).uint64(), record]);
    else if (part === ShardPart.LEASE) leases.push(new ByteReader(key, 1).bigint64());
    else whole.set(part, record);
  }
  const [core, access, expired] = [ShardPart.CORE, ShardPart.ACCESS, ShardPart.EXPIRED].map((part) =>
    whole.get(part),
  );
  assert(
    core !== undefined && access !== undefined && expired !== undefined,
    'what is stored of a shard is whole',
  );
  return { core, access, expired, memory, leases };
}

const writer = new ByteWriter(4 * 1024);
