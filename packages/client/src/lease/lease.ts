import type { Timer } from '@flotilla/platform';
import { FlotillaError } from '@flotilla/platform';
import type { RequestOptions } from '../connection/requester.ts';
import { limits } from '../limits.ts';
import type { ClientWorld } from '../platform.ts';
import { deferred } from '../waiting.ts';

/** What a lease asks of the client. */
export interface LeaseKeeper {
  readonly world: ClientWorld;
  /** Sends a keep-alive; its answer comes back as {@link Lease.renewed}. */
  keepAlive(lease: Lease): void;
  /** Nothing was answered for a while: ask another server. */
  silent(): void;
  forget(lease: Lease): void;
  revoke(id: bigint, options: RequestOptions): Promise<void>;
}

/**
 * A lease that is kept alive until it is released, or lost. The client's own clock decides too: when no keep-alive was
 * answered for as long as the lease lives, it counts as lost, even if the server cannot be asked.
 *
 * @example
 * await using lease = await client.lease(10);
 * await client.put('workers/7', address, { lease });
 * lease.signal.addEventListener('abort', () => stopWorking());
 */
export class Lease {
  readonly id: bigint;
  readonly #keeper: LeaseKeeper;
  readonly #lost = deferred<FlotillaError>();
  readonly #controller = new AbortController();
  #ttlMs: number;
  /** Of the keep-alive that was last answered: the server counts from later. */
  #renewedMs: number;
  /** When the keep-alives that wait for an answer were sent. */
  #sentMs: number[] = [];
  #beat: Timer | null = null;
  #expiry: Timer | null = null;
  #state: 'alive' | 'released' | 'lost' = 'alive';

  constructor(id: bigint, ttlSeconds: number, grantedMs: number, keeper: LeaseKeeper) {
    this.id = id;
    this.#keeper = keeper;
    this.#ttlMs = ttlSeconds * 1_000;
    this.#renewedMs = grantedMs;
    this.#schedule();
  }

  /** How long the lease lives without a keep-alive, as the server has granted it. */
  get ttlSeconds(): number {
    return this.#ttlMs / 1_000;
  }

  get isAlive(): boolean {
    return this.#state === 'alive';
  }

  /** Aborts when the lease is lost, with a `FLOTILLA_LEASE_LOST` as reason. Not when it is released. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Resolves, with the reason, when the lease is lost. */
  get lost(): Promise<FlotillaError> {
    return this.#lost.promise;
  }

  /** Ends the lease and every key that has it. */
  async release(options: RequestOptions = { timeoutMs: limits.revokeTimeoutMs }): Promise<void> {
    if (this.#state !== 'alive') return;
    this.#stop('released');
    await this.#keeper.revoke(this.id, options);
  }

  /** Stops to keep it alive: it ends by itself when its time is over. */
  abandon(): void {
    if (this.#state === 'alive') this.#stop('released');
  }

  /** {@link release}; a server that cannot be reached will end the lease by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.release().catch(ignore);
  }

  /** For the keeper: an answer has come. */
  renewed(ttlSeconds: number): void {
    if (this.#state !== 'alive') return;
    if (ttlSeconds <= 0) {
      this.expired('the server does not know it any more');
      return;
    }
    this.#ttlMs = ttlSeconds * 1_000;
    this.#renewedMs = this.#sentMs.shift() ?? this.#renewedMs;
    this.#schedule();
  }

  /** For the keeper: the stream is lost, no answers will come on it. */
  unanswered(): void {
    this.#sentMs = [];
  }

  /** For the keeper: it has written a keep-alive. */
  sent(): void {
    this.#sentMs.push(this.#keeper.world.platform.now());
  }

  /** For the keeper. */
  expired(why: string): void {
    if (this.#state !== 'alive') return;
    this.#stop('lost');
    const error = new FlotillaError('FLOTILLA_LEASE_LOST', `lease ${this.id.toString(16)} is lost: ${why}`);
    this.#lost.resolve(error);
    this.#controller.abort(error);
  }

  #schedule(): void {
    const { platform } = this.#keeper.world;
    this.#beat?.cancel();
    this.#expiry?.cancel();
    const leftMs = this.#renewedMs + this.#ttlMs - platform.now();
    this.#expiry = platform.timer(Math.max(0, leftMs), 'lease expires', () => {
      this.expired('no keep-alive was answered in time');
    });
    this.#scheduleBeat();
  }

  #scheduleBeat(): void {
    const { platform } = this.#keeper.world;
    this.#beat = platform.timer(this.#ttlMs / limits.keepAlivesPerTtl, 'keep a lease alive', () => {
      this.#scheduleBeat();
      if (this.#sentMs.length > 0) this.#keeper.silent();
      else this.#keeper.keepAlive(this);
    });
  }

  #stop(state: 'released' | 'lost'): void {
    this.#state = state;
    this.#beat?.cancel();
    this.#expiry?.cancel();
    this.#keeper.forget(this);
  }
}

function ignore(): void {}
