import { assert } from '@flotilla/platform';
import { etcdErrors, LeaseGrantResponse, LeaseRevokeResponse } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import type { RequestOrigin, WrittenOutcome } from '../shard/request-memory.ts';
import { type FactChange, orderShard, type ShardId } from '../shard/shard-entry.ts';
import type { ShardMachine } from '../shard/shard-machine.ts';
import type { LeaseRegistry, OrderedLease } from './lease-registry.ts';
import type { OrderEffect, OrderEntry } from './order-entry.ts';
import { refusalOf } from './refusal.ts';

/** As much of the order as its leases have to do with, in the middle of an entry. */
export interface LeaseSurroundings {
  readonly index: number;
  readonly frontier: number;
  readonly own: ShardMachine;
  /** The own shard has to be written down again. */
  ownChanged(): void;
  hasShard(shard: ShardId): boolean;
  say(shard: ShardId, change: FactChange): void;
  push(effect: OrderEffect): void;
  isKnown(origin: RequestOrigin): boolean;
  answer(origin: RequestOrigin, result: ApplyResult): void;
  outcomeOf(result: ApplyResult): WrittenOutcome;
}

/** Rule 14: leases begin and end in the order; shards register those that their keys go with. */
export class LeaseRules {
  readonly #leases: LeaseRegistry;
  readonly #order: LeaseSurroundings;

  constructor(leases: LeaseRegistry, order: LeaseSurroundings) {
    this.#leases = leases;
    this.#order = order;
  }

  grant({ user, lease: id, ttl }: OrderEntry & { readonly kind: 'grant' }): ApplyResult {
    const { own, index, frontier } = this.#order;
    own.access.administer(user, 'grant', noKeys);
    if (ttl > limits.leaseTtlSeconds) throw etcdErrors.leaseTtlTooLarge;
    if (id === 0n) throw etcdErrors.leaseNotFound;
    if (this.#leases.get(id) !== null) throw etcdErrors.leaseExists;
    const granted = Math.max(ttl, 1);
    this.#leases.grant(id, granted, index);
    this.#order.push({ kind: 'lease-renewed', lease: id, generation: index });
    const response = LeaseGrantResponse.create({ header: header(frontier), id, ttl: granted });
    return { kind: 'lease-grant', response };
  }

  renew(id: bigint): void {
    const { index } = this.#order;
    const lease = this.#leases.get(id);
    if (lease === null || lease.life !== 'live') return;
    this.#leases.renew(lease, index);
    this.#order.push({ kind: 'lease-renewed', lease: id, generation: index });
  }

  checkpoint(id: bigint, generation: number, remaining: number): void {
    const lease = this.#leases.get(id);
    if (lease === null || !this.#leases.checkpoint(lease, generation, remaining)) return;
    this.#order.push({ kind: 'lease-checkpointed', lease: id, remaining: lease.remaining });
  }

  /** Not answered before the lease has ended. */
  revokeFor({ origin, user, lease: id }: OrderEntry & { readonly kind: 'revoke' }): void {
    const { own } = this.#order;
    if (this.#order.isKnown(origin)) return;
    if (!own.access.isCurrent(user)) {
      // Identified again it comes again, under the same number.
      const result = { kind: 'error', error: etcdErrors.authOldRevision } as const;
      this.#order.push({ kind: 'outcome', origin, outcome: this.#order.outcomeOf(result) });
      return;
    }
    try {
      own.access.administer(user, 'revoke', () => own.keysOf(id));
      const lease = this.#leases.get(id);
      if (lease === null) throw etcdErrors.leaseNotFound;
      this.#revoke(lease, origin);
    } catch (error) {
      this.#order.answer(origin, refusalOf(error));
    }
  }

  expire({ term, leases }: OrderEntry & { readonly kind: 'expire' }, present: number): void {
    // The log carries a proposal on into the next term, where another member may have given the lease more time.
    if (term !== present || !this.#order.own.access.mayExpire) return;
    for (const { lease: id, generation } of leases) {
      const lease = this.#leases.get(id);
      if (lease?.generation === generation && lease.life === 'live') this.#revoke(lease, null);
    }
  }

  /** The transaction that deletes its keys is decided. */
  revoked(id: bigint, revokedAt: number): void {
    const lease = this.#leases.get(id);
    assert(lease !== null && lease.revokedAt === revokedAt, 'what is revoked is the lease that was to be');
    this.#remove(lease);
  }

  register(id: bigint, shard: ShardId): void {
    const lease = this.#leases.get(id);
    if (lease === null || !this.#order.hasShard(shard)) return;
    if (this.#leases.register(lease, shard)) this.#order.say(shard, { kind: 'registered', lease: id });
  }

  #revoke(lease: OrderedLease, revoker: RequestOrigin | null): void {
    const { own, index } = this.#order;
    const { shards } = lease;
    const isOwn = shards.size === 1 && shards.has(orderShard);
    // Where nobody has keys of it there is nobody to ask, whatever transaction names it.
    this.#order.ownChanged();
    const ends = lease.life === 'live' && (shards.size === 0 || (isOwn && own.revokeAlone(lease.lease)));
    if (ends) this.#leases.addRevoker(lease, revoker);
    else this.#leases.revoke(lease, index, revoker);
    if (ends) this.#remove(lease);
  }

  #remove(lease: OrderedLease): void {
    this.#leases.remove(lease);
    const { frontier } = this.#order;
    this.#order.push({ kind: 'lease-removed', lease: lease.lease, revision: frontier });
    const response = LeaseRevokeResponse.create({ header: header(frontier) });
    for (const origin of lease.revokers) this.#order.answer(origin, { kind: 'lease-revoke', response });
  }
}

const noKeys = (): readonly Uint8Array[] => [];
