import {
  Lease as LeaseService,
  LeaseGrantRequest,
  LeaseLeasesRequest,
  LeaseRevokeRequest,
  LeaseTimeToLiveRequest,
} from '@flotilla/wire';
import type { RequestOptions, Requester } from '../connection/requester.ts';
import { toBuffer } from '../bytes.ts';
import { EtcdError } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';
import { leaseId } from '../kv/operations.ts';
import type { LeaseLike } from '../kv/operations.ts';
import { KeepAlives } from './keep-alives.ts';
import { Lease } from './lease.ts';
import type { LeaseKeeper } from './lease.ts';

export interface LeaseState {
  /** What is left of the time to live; null: there is no such lease. */
  readonly leftSeconds: number | null;
  readonly grantedSeconds: number;
  /** Keys that end with the lease, when they were asked for. */
  readonly keys: readonly Buffer[];
}

/** The leases of a client. */
export class Leases implements LeaseKeeper {
  readonly #requester: Requester;
  readonly #keepAlives: KeepAlives;

  constructor(requester: Requester) {
    this.#requester = requester;
    this.#keepAlives = new KeepAlives(requester);
  }

  get world(): ClientWorld {
    return this.#requester.world;
  }

  /** Grants a lease and keeps it alive. */
  async grant(ttlSeconds: number, options: RequestOptions): Promise<Lease> {
    const { platform } = this.#requester.world;
    for (;;) {
      const id = this.#drawId();
      const startMs = platform.now();
      const granted = await this.#grant(id, ttlSeconds, options);
      if (granted === null) continue;
      const lease = new Lease(id, granted, startMs, this);
      this.#keepAlives.add(lease);
      return lease;
    }
  }

  /** What the server has granted, in seconds; null: somebody has drawn the same number, however unlikely that is. */
  async #grant(id: bigint, ttlSeconds: number, options: RequestOptions): Promise<number | null> {
    const request = LeaseGrantRequest.create({ ttl: ttlSeconds, id });
    try {
      const { methods } = LeaseService;
      return (await this.#requester.call(methods.LeaseGrant, request, 'repeatable', options)).ttl;
    } catch (error) {
      if (!(error instanceof EtcdError) || error.reason !== 'leaseExists') throw error;
      // The id makes a grant repeatable: if a try before may have been executed, it was.
      return error.outcome === 'unknown' ? (await this.timeToLive(id, options)).grantedSeconds : null;
    }
  }

  async timeToLive(lease: LeaseLike, options: { keys?: boolean } & RequestOptions = {}): Promise<LeaseState> {
    const request = LeaseTimeToLiveRequest.create({ id: leaseId(lease), keys: options.keys ?? false });
    const { methods } = LeaseService;
    const response = await this.#requester.call(methods.LeaseTimeToLive, request, 'read', options);
    return {
      leftSeconds: response.ttl < 0 ? null : response.ttl,
      grantedSeconds: response.grantedTtl,
      keys: response.keys.map(toBuffer),
    };
  }

  /** The ids of all leases of the cluster. */
  async list(options: RequestOptions = {}): Promise<readonly bigint[]> {
    const request = LeaseLeasesRequest.create();
    const response = await this.#requester.call(LeaseService.methods.LeaseLeases, request, 'read', options);
    return response.leases.map(({ id }) => id);
  }

  /** Ends a lease and its keys; fine when it has ended already. */
  async revoke(lease: LeaseLike, options: RequestOptions = {}): Promise<void> {
    try {
      const request = LeaseRevokeRequest.create({ id: leaseId(lease) });
      await this.#requester.call(LeaseService.methods.LeaseRevoke, request, 'repeatable', options);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.reason !== 'leaseNotFound') throw error;
    }
  }

  keepAlive(lease: Lease): void {
    this.#keepAlives.send(lease);
  }

  silent(): void {
    this.#keepAlives.silent();
  }

  forget(lease: Lease): void {
    this.#keepAlives.forget(lease);
  }

  /** Gives all leases back, as far as that is possible in a moment. */
  async close(): Promise<void> {
    const options = { timeoutMs: limits.revokeTimeoutMs };
    await Promise.allSettled(this.#keepAlives.leases.map((lease) => lease.release(options)));
  }

  #drawId(): bigint {
    return BigInt.asUintN(63, BigInt(`0x${this.#requester.world.uniqueId().slice(0, 16)}`)) | 1n;
  }
}
