import { assert } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { bytesToString, compareBytes } from '../bytes.ts';

/**
 * The order's state is kept in records, each with a key of its own, so that a commit writes those that have changed and no
 * more. The first byte of a key: what the record is of. Stored; a number is never used for anything else.
 */
export const OrderPart = {
  HEAD: 0,
  ROW: 1,
  CHAIN: 2,
  LEASE: 3,
  SESSION: 4,
  /** Shard 0, as far as it is not here already. */
  OWN: 5,
  MEMORY: 6,
  EXPIRED: 7,
  ACCESS: 8,
  NODE: 9,
  ASSIGNMENT: 10,
  CHANGE: 11,
  WISH: 12,
  PRESPLIT: 13,
} as const;

export type OrderPart = (typeof OrderPart)[keyof typeof OrderPart];

/** Null: there is no such record any more. The bytes are the taker's. */
export type WritePart = (key: Uint8Array, record: Uint8Array | null) => void;

/** Every record, in the order of their keys. */
export type StoredParts = Iterable<readonly [key: Uint8Array, record: Uint8Array]>;

const writer = new ByteWriter(4 * 1024);

export function partKey(part: OrderPart): Uint8Array {
  return Uint8Array.of(part);
}

/** `id`: a safe integer from 0. Keys sort by it. */
export function numberedKey(part: OrderPart, id: number): Uint8Array {
  writer.byte(part);
  writer.uint64(id);
  return writer.take();
}

export function leaseKey(lease: bigint): Uint8Array {
  writer.byte(OrderPart.LEASE);
  writer.bigint64(lease);
  return writer.take();
}

/** The id of a {@link numberedKey}. */
export function idOf(key: Uint8Array): number {
  return new ByteReader(key, 1).uint64();
}

export function leaseOf(key: Uint8Array): bigint {
  return new ByteReader(key, 1).bigint64();
}

/** Records as one piece, equal for equal records. */
export function joinedParts(parts: StoredParts): Uint8Array {
  const sorted = [...parts].sort(([a], [b]) => compareBytes(a, b));
  const whole = new ByteWriter(16 * 1024);
  for (const [key, record] of sorted) {
    whole.lengthPrefixed(key);
    whole.lengthPrefixed(record);
  }
  return whole.take();
}

export function* separatedParts(whole: Uint8Array): Generator<readonly [Uint8Array, Uint8Array]> {
  const reader = new ByteReader(whole);
  while (reader.remaining > 0) yield [reader.lengthPrefixed().slice(), reader.lengthPrefixed().slice()];
}

/** Records in memory, for whoever keeps them whole. */
export class PartMap {
  readonly #parts = new Map<string, readonly [Uint8Array, Uint8Array]>();

  readonly write: WritePart = (key, record) => {
    const name = bytesToString(key);
    if (record === null) this.#parts.delete(name);
    else this.#parts.set(name, [key, record]);
  };

  get joined(): Uint8Array {
    return joinedParts(this.#parts.values());
  }
}

export function partOf(key: Uint8Array): OrderPart {
  const [part] = key;
  assert(part !== undefined && part <= OrderPart.PRESPLIT, () => `${part} is a part of the order`);
  return part as OrderPart;
}
