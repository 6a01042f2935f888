import type { Lease, LeaseReader, LeaseRecords } from '../leases/lease-records.ts';
import type { LeaseRegistry, OrderedLease } from './lease-registry.ts';

/** Leases as an order has them, and the keys of shard 0 that go with them. */
export class OrderedLeases implements LeaseReader {
  readonly #registry: LeaseRegistry;
  readonly #attachments: LeaseRecords;

  constructor(registry: LeaseRegistry, attachments: LeaseRecords) {
    this.#registry = registry;
    this.#attachments = attachments;
  }

  get(id: bigint): Lease | null {
    const lease = this.#registry.get(id);
    return lease === null ? null : leaseOf(lease);
  }

  has(id: bigint): boolean {
    return this.#registry.get(id) !== null;
  }

  *all(): Generator<Lease> {
    for (const lease of this.#registry.all()) yield leaseOf(lease);
  }

  keysOf(id: bigint): Uint8Array[] {
    return this.#attachments.keysOf(id);
  }

  countKeys(id: bigint, most: number): number {
    return this.#attachments.countKeys(id, most);
  }
}

export function leaseOf({ lease, ttl, generation, remaining }: OrderedLease): Lease {
  return { id: lease, ttl, generation, remaining };
}
