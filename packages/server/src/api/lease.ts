import { limits as storeLimits } from '@flotilla/store';
import {
  bidi,
  EMPTY_LIST,
  etcdErrors,
  Lease,
  type LeaseGrantResponse,
  LeaseGrantRequest,
  type LeaseKeepAliveRequest,
  type LeaseKeepAliveResponse,
  type LeaseLeasesResponse,
  type LeaseRevokeRequest,
  type LeaseRevokeResponse,
  type LeaseTimeToLiveRequest,
  type LeaseTimeToLiveResponse,
  type Method,
  type ServerCall,
  type ServerStream,
  unary,
} from '@flotilla/wire';
import { limits } from '../limits.ts';
import type { Backend } from '../member/backend.ts';
import { requireLeaderIfAsked, whileLed } from './leader.ts';
import { originOf } from './origin.ts';

/** `etcdserverpb.Lease`. Everything goes through the log or a read barrier; any member answers. */
export function leaseMethods(backend: Backend): Method[] {
  const leases = new LeaseService(backend);
  return [
    unary(Lease.methods.LeaseGrant, (request, call, bytes) => leases.grant(request, call, bytes)),
    unary(Lease.methods.LeaseRevoke, (request, call, bytes) => leases.revoke(request, call, bytes)),
    bidi(Lease.methods.LeaseKeepAlive, (call) => leases.keepAlive(call)),
    unary(Lease.methods.LeaseTimeToLive, (request, call) => leases.timeToLive(request, call)),
    unary(Lease.methods.LeaseLeases, (_request, call) => leases.list(call)),
  ];
}

type KeepAliveCall = ServerStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

export class LeaseService {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /** The log carries what this member chose: the id when the client leaves it open, and the least time. */
  async grant(request: LeaseGrantRequest, call: ServerCall, bytes: Uint8Array): Promise<LeaseGrantResponse> {
    requireLeaderIfAsked(this.#backend, call);
    this.#backend.access.requireUser(call);
    if (request.ttl > storeLimits.leaseTtlSeconds) throw etcdErrors.leaseTtlTooLarge;
    const origin = originOf(this.#backend, call, bytes);
    if (this.#backend.overQuota(limits.leaseCostBytes) && !(await this.#backend.isSettled(origin))) {
      await this.#backend.operations.raiseSpaceAlarm();
      throw etcdErrors.noSpace;
    }
    const { leases } = this.#backend;
    const chosen = LeaseGrantRequest.encode({
      id: request.id === 0n ? leases.newId() : request.id,
      ttl: Math.max(request.ttl, leases.minimumTtlSeconds),
    });
    const response = await this.#backend.write('lease-grant', chosen, origin);
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async revoke(
    _request: LeaseRevokeRequest,
    call: ServerCall,
    bytes: Uint8Array,
  ): Promise<LeaseRevokeResponse> {
    requireLeaderIfAsked(this.#backend, call);
    const response = await this.#backend.write('lease-revoke', bytes, originOf(this.#backend, call));
    return { ...response, header: this.#backend.stamp(response.header) };
  }

  async keepAlive(call: KeepAliveCall): Promise<void> {
    requireLeaderIfAsked(this.#backend, call);
    await whileLed(this.#backend, call, new KeepAliveStream(this.#backend, call).serve());
  }

  async timeToLive(request: LeaseTimeToLiveRequest, call: ServerCall): Promise<LeaseTimeToLiveResponse> {
    requireLeaderIfAsked(this.#backend, call);
    await this.#backend.readBarrier();
    this.#backend.requireState();
    const { access, leases } = this.#backend;
    if (request.keys) await access.requireLease(call, 'read', request.id);
    else access.requireUser(call);
    // In the turn of the check: what the leader has left may take a while to come.
    const header = this.#backend.stamp(null);
    const keys = request.keys ? await leases.keysOf(request.id) : EMPTY_LIST;
    const time = await leases.timeOf(request.id);
    if (time === null) return { header, id: request.id, ttl: -1, grantedTtl: 0, keys: EMPTY_LIST };
    return {
      header,
      id: request.id,
      ttl: Math.floor(time.remainingMs / 1_000),
      grantedTtl: time.grantedSeconds,
      keys,
    };
  }

  async list(call: ServerCall): Promise<LeaseLeasesResponse> {
    requireLeaderIfAsked(this.#backend, call);
    await this.#backend.readBarrier();
    this.#backend.requireState();
    await this.#backend.access.requireLeases(call);
    const leases = this.#backend.leases.list().map((id) => ({ id }));
    return { header: this.#backend.stamp(null), leases: leases.length === 0 ? EMPTY_LIST : leases };
  }
}

/**
 * One client's renewals: many may be on their way, and are answered in the order in which they came. The first that
 * cannot be made ends the stream, as in etcd; that a lease is not there is an answer.
 */
class KeepAliveStream {
  readonly #backend: Backend;
  readonly #call: KeepAliveCall;
  /** Settles when every request so far is answered. */
  #answered: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(backend: Backend, call: KeepAliveCall) {
    this.#backend = backend;
    this.#call = call;
  }

  serve(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#readAll(reject).then(resolve, reject);
    });
  }

  async #readAll(failed: (error: unknown) => void): Promise<void> {
    for (let request = await this.#call.read(); request !== null; request = await this.#call.read()) {
      const { id } = request;
      const before = this.#answered;
      this.#waiting += 1;
      const allowed = this.#backend.access.requireLease(this.#call, 'write', id);
      if (allowed !== undefined) await allowed;
      const renewal = this.#backend.leases.renew(id);
      // One that fails while others before it are still waiting is not unhandled.
      renewal.catch(() => undefined);
      this.#answered = before.then(async () => {
        await this.#answer(id, await renewal);
        this.#waiting -= 1;
      });
      this.#answered.catch(failed);
      if (this.#waiting >= limits.leaseStreamRenewals) await this.#answered;
    }
    await this.#answered;
  }

  async #answer(id: bigint, ttl: number): Promise<void> {
    const header = this.#backend.stamp(null);
    if (!this.#call.write({ header, id, ttl })) await this.#call.drained();
  }
}
