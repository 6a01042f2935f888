import { Lease as LeaseService, RpcError, Status, openStream } from '@flotilla/wire';
import type { ClientStream, LeaseKeepAliveRequest, LeaseKeepAliveResponse } from '@flotilla/wire';
import type { Endpoint } from '../connection/endpoint.ts';
import type { Requester } from '../connection/requester.ts';
import { verdictOf } from '../connection/verdict.ts';
import { limits } from '../limits.ts';
import { backoffMs, sleep } from '../waiting.ts';
import type { Lease } from './lease.ts';

type KeepAliveStream = ClientStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse>;

/** The stream on which all leases of a client are kept alive, and one after the other when it is lost. */
export class KeepAlives {
  readonly #requester: Requester;
  readonly #leases = new Map<bigint, Lease>();
  #stream: KeepAliveStream | null = null;
  #isRunning = false;
  #asked: Endpoint | null = null;
  #failures = 0;

  constructor(requester: Requester) {
    this.#requester = requester;
  }

  get leases(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  add(lease: Lease): void {
    this.#leases.set(lease.id, lease);
  }

  forget(lease: Lease): void {
    this.#leases.delete(lease.id);
    if (this.#leases.size === 0) this.#stream?.cancel();
  }

  send(lease: Lease): void {
    if (this.#stream !== null) write(this.#stream, lease);
    else if (!this.#isRunning) void this.#run();
  }

  /** Goes on through another server. */
  silent(): void {
    this.#asked?.suspect();
    if (this.#stream === null) return;
    this.#stream.cancel();
    this.#stream = null;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    while (this.#leases.size > 0) {
      let token: string | null = null;
      try {
        const endpoint: Endpoint = this.#requester.balancer.pick(this.#asked) ?? (await this.#connected());
        this.#asked = endpoint;
        const carried = await this.#requester.metadataFor(endpoint, limits.attemptTimeoutMs, null);
        token = carried.token;
        const metadata = { ...carried.metadata, hasleader: 'true' };
        await this.#follow(
          endpoint,
          openStream(endpoint.channel, LeaseService.methods.LeaseKeepAlive, { metadata }),
        );
      } catch (error) {
        if (verdictOf(error) === 'token') this.#requester.tokenRefused(token);
        else this.#asked?.failed();
      }
      for (const lease of this.#leases.values()) lease.unanswered();
      this.#failures += 1;
      if (this.#leases.size > 0) await this.#pause();
    }
    this.#isRunning = false;
  }

  #connected(): Promise<Endpoint> {
    return this.#requester.balancer.wait(limits.attemptTimeoutMs, this.#requester.closing);
  }

  async #follow(endpoint: Endpoint, stream: KeepAliveStream): Promise<void> {
    const release = endpoint.holdStream();
    this.#stream = stream;
    try {
      // Whatever was sent before may not have come through.
      for (const lease of this.#leases.values()) write(stream, lease);
      for (;;) {
        const response = await stream.read();
        if (response === null) throw new RpcError(Status.UNAVAILABLE, 'the server has ended the stream');
        this.#failures = 0;
        endpoint.succeeded();
        this.#leases.get(response.id)?.renewed(response.ttl);
      }
    } finally {
      if (this.#stream === stream) this.#stream = null;
      release();
      stream.cancel();
    }
  }

  async #pause(): Promise<void> {
    const { balancer, world, closing } = this.#requester;
    if (this.#failures < balancer.endpoints.length) return;
    const { backoffMsMin, backoffMsMax } = limits;
    // A lease has no time to lose: its end would not wait for a long pause.
    const longestMs = Math.min(backoffMsMax, this.#shortestTtlMs() / (4 * limits.keepAlivesPerTtl));
    await sleep(world.platform, backoffMs(world.platform, this.#failures, backoffMsMin, longestMs), closing);
  }

  #shortestTtlMs(): number {
    return Math.min(...this.leases.map((lease) => lease.ttlSeconds * 1_000));
  }
}

function write(stream: KeepAliveStream, lease: Lease): void {
  lease.sent();
  stream.write({ id: lease.id });
}
