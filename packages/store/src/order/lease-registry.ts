import { assert } from '@flotilla/platform';
import type { RequestOrigin } from '../shard/request-memory.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import { type LeaseLife, leaseLives } from './lease-life.ts';

/** A lease, as the order group knows it. Its keys are the shards' affair. */
export interface OrderedLease {
  readonly lease: bigint;
  readonly ttl: number;
  /** Index of the entry that granted or renewed it last. */
  generation: number;
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

  get(lease: bigint): OrderedLease | null {
    return this.#leases.get(lease) ?? null;
  }

  *all(): IterableIterator<OrderedLease> {
    yield* this.#leases.values();
  }

  *revoking(): IterableIterator<OrderedLease> {
    for (const lease of this.#leases.values()) if (lease.life === 'revoking') yield lease;
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
    assert(!this.#leases.has(lease), 'a lease is granted once');
    const life = leaseLives.fire('absent', 'grant');
    const shards = new Set<ShardId>();
    this.#leases.set(lease, { lease, ttl, generation: index, life, shards, revokedAt: 0, revokers: [] });
  }

  renew(lease: OrderedLease, index: number): void {
    lease.life = leaseLives.fire(lease.life, 'renew');
    lease.generation = index;
  }

  /** False: the shard has it already, or the lease is about to end. */
  register(lease: OrderedLease, shard: ShardId): boolean {
    if (lease.life !== 'live' || lease.shards.has(shard)) return false;
    lease.life = leaseLives.fire(lease.life, 'register');
    lease.shards.add(shard);
    return true;
  }

  revoke(lease: OrderedLease, index: number, revoker: RequestOrigin | null): void {
    if (lease.life === 'live') lease.revokedAt = index;
    lease.life = leaseLives.fire(lease.life, 'revoke');
    this.addRevoker(lease, revoker);
  }

  /** Who is answered when it has ended. */
  addRevoker(lease: OrderedLease, revoker: RequestOrigin | null): void {
    if (revoker === null) return;
    const { session, request } = revoker;
    if (lease.revokers.some((other) => other.session === session && other.request === request)) return;
    lease.revokers.push(revoker);
  }

  remove(lease: OrderedLease): void {
    lease.life = leaseLives.fire(lease.life, lease.life === 'revoking' ? 'revoked' : 'revoke-alone');
    this.#leases.delete(lease.lease);
  }

  /** Keys of the parent may go with a lease, and some of them are the child's now. */
  split(parent: ShardId, child: ShardId): void {
    for (const { shards } of this.#leases.values()) if (shards.has(parent)) shards.add(child);
  }

  merge(drained: ShardId, into: ShardId): void {
    for (const { shards } of this.#leases.values()) if (shards.delete(drained)) shards.add(into);
  }

  toPlain(): unknown {
    return [...this.#leases.values()].map((lease) => ({ ...lease, shards: [...lease.shards] }));
  }

  static fromPlain(plain: unknown): LeaseRegistry {
    const registry = new LeaseRegistry();
    for (const stored of plain as (Omit<OrderedLease, 'shards'> & { readonly shards: ShardId[] })[]) {
      registry.#leases.set(stored.lease, {
        ...stored,
        shards: new Set(stored.shards),
        revokers: [...stored.revokers],
      });
    }
    return registry;
  }
}
