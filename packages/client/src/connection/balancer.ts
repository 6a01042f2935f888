import { RpcError, Status } from '@flotilla/wire';
import type { ClientWorld } from '../platform.ts';
import { within } from '../waiting.ts';
import { Endpoint } from './endpoint.ts';

/** Chooses who is asked: in turn, of those with a connection that have not just failed. */
export class Balancer {
  readonly #world: ClientWorld;
  #endpoints: readonly Endpoint[];
  #turn: number;

  constructor(world: ClientWorld, urls: readonly string[]) {
    this.#world = world;
    this.#endpoints = urls.map((url) => new Endpoint(world, url));
    // Clients that begin together should not all begin with the same server.
    this.#turn = world.platform.random.below(urls.length);
  }

  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** The endpoint with this URL; one that is not in turn is opened for the caller. */
  find(url: string): Endpoint | undefined {
    return this.#endpoints.find((endpoint) => endpoint.url === url);
  }

  /** Endpoints that stay keep their connections. */
  update(urls: readonly string[]): void {
    const kept = new Map(this.#endpoints.map((endpoint) => [endpoint.url, endpoint]));
    this.#endpoints = urls.map((url) => kept.get(url) ?? new Endpoint(this.#world, url));
    for (const [url, endpoint] of kept) if (!urls.includes(url)) endpoint.close();
  }

  /** Null: nobody has a connection; {@link wait} for one. */
  pick(avoid: Endpoint | null): Endpoint | null {
    const endpoints = this.#endpoints;
    let second: Endpoint | null = null;
    for (let step = 1; step <= endpoints.length; step += 1) {
      const turn = (this.#turn + step) % endpoints.length;
      const endpoint = endpoints[turn] as Endpoint;
      if (endpoint.isIdle) endpoint.ready().catch(ignore);
      if (!endpoint.isReady) continue;
      if (endpoint !== avoid && endpoint.isTrusted) {
        this.#turn = turn;
        return endpoint;
      }
      if (second === null || second === avoid) second = endpoint;
    }
    return second;
  }

  /** The first endpoint to which a connection is made. Rejects, unsent, when all fail or the time is over. */
  async wait(timeoutMs: number, signal: AbortSignal | undefined): Promise<Endpoint> {
    const made = Promise.any(this.#endpoints.map((endpoint) => endpoint.ready().then(() => endpoint)));
    try {
      const endpoint = await within(this.#world.platform, made, null, timeoutMs, signal);
      if (endpoint !== null) return endpoint;
    } catch (cause) {
      const [first] = (cause as AggregateError).errors as readonly unknown[];
      if (first instanceof RpcError) throw first;
      throw new RpcError(Status.UNAVAILABLE, 'no endpoint can be reached', { cause, isUnsent: true });
    }
    throw new RpcError(Status.DEADLINE_EXCEEDED, 'no connection was made in time', { isUnsent: true });
  }

  close(): void {
    for (const endpoint of this.#endpoints) endpoint.close();
  }
}

/** Whoever needs the connection hears of its failure. */
function ignore(): void {}
