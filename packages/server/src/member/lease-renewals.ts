import { assert, messageOf, type Platform } from '@flotilla/platform';
import { type ApplyResult, encodeLeaseRenew } from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';

interface Waiting {
  readonly resolve: (ttlSeconds: number) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Renewals go through the log, where an expiry cannot overtake them unseen; all those of one turn, whatever stream
 * they came on, share a proposal.
 */
export class LeaseRenewals {
  readonly #platform: Platform;
  readonly #propose: (request: Uint8Array) => Promise<ApplyResult>;
  #waiting = new Map<bigint, Waiting[]>();
  #count = 0;
  #scheduled = false;

  constructor(platform: Platform, propose: (request: Uint8Array) => Promise<ApplyResult>) {
    this.#platform = platform;
    this.#propose = propose;
  }

  /** Answers for how many seconds the lease is good from now on; 0: there is no such lease. */
  renew(id: bigint): Promise<number> {
    if (this.#count >= limits.leaseRenewals) return Promise.reject(etcdErrors.tooManyRequests);
    return new Promise((resolve, reject) => {
      this.#count += 1;
      const waiting = this.#waiting.get(id);
      if (waiting === undefined) this.#waiting.set(id, [{ resolve, reject }]);
      else waiting.push({ resolve, reject });
      if (this.#waiting.size >= limits.leaseRenewalBatch) this.flush();
      else this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#platform.defer(() => {
      this.#scheduled = false;
      this.flush();
    });
  }

  /**
   * Proposes what waits for the end of the turn. Before any other proposal, too: of a client that renews a lease and
   * then revokes it, the renewal must not find it gone.
   */
  flush(): void {
    if (this.#waiting.size === 0) return;
    const batch = this.#waiting;
    this.#waiting = new Map();
    this.#platform.spawn('lease-renewal', () => this.#send(batch));
  }

  async #send(batch: ReadonlyMap<bigint, readonly Waiting[]>): Promise<void> {
    try {
      const result = await this.#propose(encodeLeaseRenew([...batch.keys()]));
      assert(result.kind === 'lease-renew', 'a renewal is never refused');
      const { ttls } = result.response;
      let at = 0;
      for (const waiting of batch.values()) {
        for (const { resolve } of waiting) resolve(ttls[at] as number);
        at += 1;
      }
    } catch (error) {
      this.#platform.log.debug('leases could not be renewed', { error: messageOf(error) });
      for (const waiting of batch.values()) for (const { reject } of waiting) reject(error);
    } finally {
      for (const waiting of batch.values()) this.#count -= waiting.length;
    }
  }
}
