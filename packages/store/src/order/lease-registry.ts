import { assert } from '@flotilla/platform';
import { ChangedParts } from '../changed-parts.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import {
  readCode,
  readList,
  readNumber,
  readOrigin,
  writeList,
  writeNumber,
  writeOrigin,
} from '../shard/entry-fields.ts';
import type { RequestOrigin } from '../shard/request-memory.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import { type LeaseLife, leaseLives } from './lease-life.ts';
import { leaseKey, leaseOf, type WritePart } from './order-parts.ts';

/** A lease, as the order group knows it. Its keys are the shards' affair. */
export interface OrderedLease {
  readonly lease: bigint;
  /** Of its record. */
  readonly key: Uint8Array;
  /** Seconds. */
  readonly ttl: number;
  /** Index of the entry that granted or renewed it last. */
  generation: number;
  /** Of its time, at the last checkpoint of this generation; `ttl` when there was none. Seconds. */
  remaining: number;
  life: LeaseLife;
  /** Where keys may be attached to it. */
  readonly shards: Set<ShardId>;
  /** Index of the entry since which it is revoked; 0: it is not. */
  revokedAt: number;
  /** Who waits for its end. */
  readonly revokers: RequestOrigin[];
}

export class LeaseRegistry {
  readonly #leases = new Map<bigint, OrderedLease>();
  readonly #revoking = new Set<OrderedLease>();
  readonly #changed = new ChangedParts<OrderedLease>();

  get(lease: bigint): OrderedLease | null {
    return this.#leases.get(lease) ?? null;
  }

  *all(): IterableIterator<OrderedLease> {
    yield* this.#leases.values();
  }

  get size(): number {
    return this.#leases.size;
  }

  *revoking(): IterableIterator<OrderedLease> {
    yield* this.#revoking;
  }

  /** Those that a shard has registered. */
  *of(shard: ShardId): IterableIterator<OrderedLease> {
    for (const lease of this.#leases.values()) if (lease.shards.has(shard)) yield lease;
  }

  /** The first revocation that is not over; null: none is under way. */
  get oldestRevocation(): number | null {
    let oldest: number | null = null;
    for (const { revokedAt } of this.revoking()) {
      oldest = oldest === null ? revokedAt : Math.min(oldest, revokedAt);
    }
    return oldest;
  }

  grant(lease: bigint, ttl: number, index: number): void {
    this.adopt({ lease, ttl, generation: index, remaining: ttl }, []);
  }

  /** One that was granted before there was an order. */
  adopt(
    given: Pick<OrderedLease, 'lease' | 'ttl' | 'generation' | 'remaining'>,
    shards: readonly ShardId[],
  ): void {
    const { lease } = given;
    assert(!this.#leases.has(lease), 'a lease is granted once');
    const life = leaseLives.fire('absent', 'grant');
    const key = leaseKey(lease);
    const granted = { ...given, key, life, shards: new Set(shards), revokedAt: 0, revokers: [] };
    this.#leases.set(lease, granted);
    this.#changed.add(granted);
  }

  /** False: what was left before a renewal says nothing about the time after it. */
  checkpoint(lease: OrderedLease, generation: number, remaining: number): boolean {
    if (lease.generation !== generation) return false;
    lease.remaining = Math.min(remaining, lease.ttl);
    this.#changed.add(lease);
    return true;
  }

  renew(lease: OrderedLease, index: number): void {
    lease.life = leaseLives.fire(lease.life, 'renew');
    lease.generation = index;
    lease.remaining = lease.ttl;
    this.#changed.add(lease);
  }

  /** False: the shard has it already, or the lease is about to end. */
  register(lease: OrderedLease, shard: ShardId): boolean {
    if (lease.life !== 'live' || lease.shards.has(shard)) return false;
    lease.life = leaseLives.fire(lease.life, 'register');
    lease.shards.add(shard);
    this.#changed.add(lease);
    return true;
  }

  revoke(lease: OrderedLease, index: number, revoker: RequestOrigin | null): void {
    if (lease.life === 'live') lease.revokedAt = index;
    lease.life = leaseLives.fire(lease.life, 'revoke');
    this.#revoking.add(lease);
    this.#changed.add(lease);
    this.addRevoker(lease, revoker);
  }

  /** Who is answered when it has ended. */
  addRevoker(lease: OrderedLease, revoker: RequestOrigin | null): void {
    if (revoker === null) return;
    const { session, request } = revoker;
    if (lease.revokers.some((other) => other.session === session && other.request === request)) return;
    lease.revokers.push(revoker);
    this.#changed.add(lease);
  }

  remove(lease: OrderedLease): void {
    lease.life = leaseLives.fire(lease.life, lease.life === 'revoking' ? 'revoked' : 'revoke-alone');
    this.#leases.delete(lease.lease);
    this.#revoking.delete(lease);
    this.#changed.add(lease);
  }

  /** Keys of the parent may go with a lease, and some of them are the child's now. */
  split(parent: ShardId, child: ShardId): void {
    for (const lease of this.of(parent)) {
      lease.shards.add(child);
      this.#changed.add(lease);
    }
  }

  merge(drained: ShardId, into: ShardId): void {
    for (const lease of this.of(drained)) {
      lease.shards.delete(drained);
      lease.shards.add(into);
      this.#changed.add(lease);
    }
  }

  // Its records: leases are renewed all the time, so they are small.

  flush(write: WritePart, everything: boolean): void {
    for (const lease of everything ? this.#leases.values() : this.#changed.take()) {
      if (lease.life !== 'absent') write(lease.key, encodeLease(lease));
      // The same id may have been granted again.
      else if (!this.#leases.has(lease.lease)) write(lease.key, null);
    }
  }

  restore(key: Uint8Array, record: Uint8Array): void {
    const lease = decodeLease(key.slice(), record);
    this.#leases.set(lease.lease, lease);
    if (lease.life === 'revoking') this.#revoking.add(lease);
  }
}

/** Stored; a place never changes its meaning. */
const lives: readonly LeaseLife[] = ['absent', 'live', 'revoking'];
const writer = new ByteWriter(8 * 1024);

function encodeLease({
  ttl,
  generation,
  remaining,
  life,
  shards,
  revokedAt,
  revokers,
}: OrderedLease): Uint8Array {
  writer.varint(ttl);
  writer.varint(generation);
  writer.varint(remaining);
  writer.byte(lives.indexOf(life));
  writeList(writer, shards.size < 2 ? [...shards] : [...shards].sort((a, b) => a - b), writeNumber);
  writer.varint(revokedAt);
  writeList(writer, revokers, writeOrigin);
  return writer.take();
}

function decodeLease(key: Uint8Array, record: Uint8Array): OrderedLease {
  const reader = new ByteReader(record);
  return {
    lease: leaseOf(key),
    key,
    ttl: reader.varint(),
    generation: reader.varint(),
    remaining: reader.varint(),
    life: readCode(reader, lives),
    shards: new Set(readList(reader, readNumber)),
    revokedAt: reader.varint(),
    revokers: readList(reader, readOrigin),
  };
}
