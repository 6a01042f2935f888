import { DeleteRangeRequest, etcdErrors, LeaseGrantRequest, LeaseRevokeRequest } from '@flotilla/wire';
import type { LeaseGrantResponse, LeaseRevokeResponse } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { header } from '../mvcc/header.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { LeaseBook, MultiVersionState } from '../mvcc/state.ts';
import type { SystemTable } from '../system/system-table.ts';
import { type Lease, LeaseRecords } from './lease-records.ts';
import { decodeLeaseCheckpoint, decodeLeaseExpire, decodeLeaseRenew } from './lease-requests.ts';

/** Of each lease of a batch: the time it is good for from now on, in seconds; 0: there is no such lease. */
export interface RenewAnswer {
  readonly ttls: readonly number[];
}

/** Who keeps the time. Called while entries are applied. */
export interface LeaseObserver {
  /** Granted or heard of: its whole time begins now. */
  renewed(lease: Lease): void;
  /** The leader of that entry knew `lease.remaining` to be left. */
  checkpointed(lease: Lease): void;
  removed(id: bigint): void;
}

/**
 * Leases and the keys that go with them. There is no time here: entries say that a lease was renewed, and that a
 * generation of it has expired. So the log's order, which is the same for everybody, decides between a client that
 * is just in time and a leader whose clock, pause or deposition makes it think otherwise.
 */
export class Leases implements LeaseBook {
  observer: LeaseObserver | null = null;
  readonly records: LeaseRecords;
  readonly #keys: MultiVersionState;

  constructor(system: SystemTable, keys: MultiVersionState) {
    this.records = new LeaseRecords(system);
    this.#keys = keys;
    keys.leases = this;
  }

  /** The id was chosen, and the time raised to what the proposing member grants at least. */
  grant(request: Uint8Array, { index }: LogPosition): LeaseGrantResponse {
    const { id, ttl } = LeaseGrantRequest.decode(request);
    if (ttl > limits.leaseTtlSeconds) throw etcdErrors.leaseTtlTooLarge;
    if (id === 0n) throw etcdErrors.leaseNotFound;
    if (this.records.has(id)) throw etcdErrors.leaseExists;
    const granted = Math.max(ttl, 1);
    this.#renew({ id, ttl: granted, generation: index, remaining: granted });
    return { header: header(this.#keys.revision), id, ttl: granted, error: '' };
  }

  revoke(request: Uint8Array): LeaseRevokeResponse {
    const { id } = LeaseRevokeRequest.decode(request);
    if (!this.records.has(id)) throw etcdErrors.leaseNotFound;
    this.#remove(id);
    return { header: header(this.#keys.revision) };
  }

  renew(request: Uint8Array, { index }: LogPosition): RenewAnswer {
    const ttls = decodeLeaseRenew(request).map((id) => {
      const lease = this.records.get(id);
      if (lease === null) return 0;
      this.#renew({ id, ttl: lease.ttl, generation: index, remaining: lease.ttl });
      return lease.ttl;
    });
    return { ttls };
  }

  checkpoint(request: Uint8Array): void {
    for (const { id, generation, remaining } of decodeLeaseCheckpoint(request)) {
      const lease = this.records.get(id);
      // What was left before a renewal says nothing about the time after it.
      if (lease === null || lease.generation !== generation) continue;
      const checkpointed = { ...lease, remaining: Math.min(remaining, lease.ttl) };
      this.records.put(checkpointed);
      this.observer?.checkpointed(checkpointed);
    }
  }

  expire(request: Uint8Array, position: LogPosition): void {
    const { term, leases } = decodeLeaseExpire(request);
    // The log carries a proposal on into the next term, where another member may have given the lease more time.
    if (term !== position.term) return;
    for (const { id, generation } of leases) {
      if (this.records.get(id)?.generation === generation) this.#remove(id);
    }
  }

  /** Hands all leases over to an order. Their keys stay attached. */
  convert(): Lease[] {
    const leases = [...this.records.all()];
    for (const { id } of leases) this.records.remove(id);
    return leases;
  }

  // What the keys want to know of leases, and tell them.

  require(id: bigint): void {
    if (!this.records.has(id)) throw etcdErrors.leaseNotFound;
  }

  moved(key: Uint8Array, from: bigint, to: bigint): void {
    if (from !== 0n) this.records.detach(from, key);
    if (to !== 0n) this.records.attach(to, key);
  }

  #renew(lease: Lease): void {
    this.records.put(lease);
    this.observer?.renewed(lease);
  }

  /** All its keys go in one revision, in their order; a lease that has none takes no revision. */
  #remove(id: bigint): void {
    for (const key of this.records.keysOf(id)) {
      this.#keys.executeDelete(DeleteRangeRequest.create({ key }));
    }
    this.#keys.end();
    this.records.remove(id);
    this.observer?.removed(id);
  }
}
