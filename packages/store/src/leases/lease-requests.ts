import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';

/** A lease at one point of its life. */
export interface LeaseGeneration {
  readonly id: bigint;
  readonly generation: number;
}

/** What the leader knows to be left of the time of a lease. */
export interface LeaseCheckpoint extends LeaseGeneration {
  /** Seconds. */
  readonly remaining: number;
}

/** The request of a `lease-renew` proposal: leases whose clients have been heard of. One may be there twice. */
export function encodeLeaseRenew(ids: readonly bigint[]): Uint8Array {
  const writer = new ByteWriter(16 + ids.length * 8);
  writer.varint(ids.length);
  for (const id of ids) writer.bigint64(id);
  return writer.take();
}

export function decodeLeaseRenew(request: Uint8Array): bigint[] {
  const reader = new ByteReader(request);
  return list(reader, () => reader.bigint64());
}

/** What was not renewed for as long as it was granted for. */
export interface LeaseExpiry {
  /** In which the proposing member leads. The entry counts in this term only: whoever leads later keeps its own time. */
  readonly term: number;
  readonly leases: readonly LeaseGeneration[];
}

/** The request of a `lease-expire` proposal. */
export function encodeLeaseExpire({ term, leases }: LeaseExpiry): Uint8Array {
  const writer = new ByteWriter(24 + leases.length * 16);
  writer.varint(term);
  writer.varint(leases.length);
  for (const { id, generation } of leases) {
    writer.bigint64(id);
    writer.varint(generation);
  }
  return writer.take();
}

export function decodeLeaseExpire(request: Uint8Array): LeaseExpiry {
  const reader = new ByteReader(request);
  const term = reader.varint();
  return { term, leases: list(reader, () => ({ id: reader.bigint64(), generation: reader.varint() })) };
}

/** The request of a `lease-checkpoint` proposal. */
export function encodeLeaseCheckpoint(checkpoints: readonly LeaseCheckpoint[]): Uint8Array {
  const writer = new ByteWriter(16 + checkpoints.length * 24);
  writer.varint(checkpoints.length);
  for (const { id, generation, remaining } of checkpoints) {
    writer.bigint64(id);
    writer.varint(generation);
    writer.varint(remaining);
  }
  return writer.take();
}

export function decodeLeaseCheckpoint(request: Uint8Array): LeaseCheckpoint[] {
  const reader = new ByteReader(request);
  return list(reader, () => ({
    id: reader.bigint64(),
    generation: reader.varint(),
    remaining: reader.varint(),
  }));
}

function list<T>(reader: ByteReader, read: () => T): T[] {
  const items: T[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) items.push(read());
  return items;
}
