import { assert } from '@flotilla/platform';
import { AuthAdministration } from './administration/auth.ts';
import { Maintenance } from './administration/maintenance.ts';
import { Members } from './administration/members.ts';
import { Election } from './concurrency/election.ts';
import { acquire, tryAcquire } from './concurrency/lock.ts';
import type { Lock } from './concurrency/lock.ts';
import type { QueueOptions } from './concurrency/queue.ts';
import { Balancer } from './connection/balancer.ts';
import { Credentials } from './connection/credentials.ts';
import type { UserPassword } from './connection/credentials.ts';
import { Requester } from './connection/requester.ts';
import type { RequestOptions } from './connection/requester.ts';
import { KeyValues } from './kv/kv.ts';
import type { Lease } from './lease/lease.ts';
import { Leases } from './lease/leases.ts';
import { limits } from './limits.ts';
import type { ClientWorld } from './platform.ts';
import type { KeyOrSpan } from './span.ts';
import type { Watcher, WatchOptions } from './watch/watcher.ts';
import { Watches } from './watch/watches.ts';

export interface ClientOptions {
  /** Of the cluster's members, or some: `http://host:port`, or `https://…`. */
  readonly endpoints: readonly string[];
  readonly auth?: UserPassword;
  /** Of a request that says nothing else, retries included. Default: 30 s. */
  readonly requestTimeoutMs?: number;
  /**
   * Whether writes carry a session, by which a Flotilla knows a repeated one and executes it once. Default: yes. etcd
   * knows no sessions; writes to it are repeated only when they were surely not executed.
   */
  readonly sessions?: boolean;
  /** Whether every request fails at once where there is no leader, rather than to wait for one. Default: no. */
  readonly requireLeader?: boolean;
}

/**
 * A client of a cluster. It connects when it is first used, to each endpoint once.
 *
 * @example
 * await using client = connect('http://127.0.0.1:2379');
 * await client.put('greeting', 'hello');
 * console.log((await client.get('greeting'))?.text);
 */
export class Client extends KeyValues {
  /** Of the cluster: grants, questions and ends by id. {@link lease} is what most programs need. */
  readonly leases: Leases;
  readonly members: Members;
  readonly maintenance: Maintenance;
  /** Users and roles. */
  readonly auth: AuthAdministration;
  readonly #watches: Watches;
  #closing: Promise<void> | null = null;

  constructor(world: ClientWorld, options: ClientOptions) {
    assert(options.endpoints.length > 0, 'a client needs an endpoint');
    super(
      new Requester({
        world,
        balancer: new Balancer(world, options.endpoints),
        credentials: options.auth === undefined ? null : new Credentials(options.auth),
        requestTimeoutMs: options.requestTimeoutMs ?? limits.requestTimeoutMs,
        sessions: options.sessions ?? true,
        requireLeader: options.requireLeader ?? false,
      }),
    );
    this.leases = new Leases(this.requester);
    this.members = new Members(this.requester);
    this.maintenance = new Maintenance(this.requester);
    this.auth = new AuthAdministration(this.requester);
    this.#watches = new Watches(this.requester);
  }

  /** Changes of a key or span from now on, or from a revision. It goes on until it is closed. */
  watch(keys: KeyOrSpan, options: WatchOptions = {}): Watcher {
    return this.#watches.watch(keys, options);
  }

  /** A lease that is kept alive until it is released or lost. */
  lease(ttlSeconds: number = limits.leaseTtlSeconds, options: RequestOptions = {}): Promise<Lease> {
    return this.leases.grant(ttlSeconds, options);
  }

  /** Waits until nobody else holds `name`, and holds it. */
  lock(name: string, options: QueueOptions = {}): Promise<Lock> {
    return acquire(this, name, options);
  }

  /** {@link lock}, or null when somebody else holds it now. */
  tryLock(name: string, options: Omit<QueueOptions, 'timeoutMs'> = {}): Promise<Lock | null> {
    return tryAcquire(this, name, options);
  }

  election(name: string): Election {
    return new Election(this, name);
  }

  /** The servers that are asked, in turn. */
  get endpoints(): readonly string[] {
    return this.requester.balancer.endpoints.map(({ url }) => url);
  }

  /** Asks the cluster for its members, and from now on asks those that say where clients reach them. */
  async syncEndpoints(options: RequestOptions = {}): Promise<readonly string[]> {
    const members = await this.members.list(options);
    const urls = members.filter(({ isLearner }) => !isLearner).flatMap(({ clientUrls }) => clientUrls);
    if (urls.length > 0) this.requester.balancer.update([...new Set(urls)]);
    return this.endpoints;
  }

  /** For what is built on clients. */
  get world(): ClientWorld {
    return this.requester.world;
  }

  /** Ends watches, gives leases back, cuts connections. Requests under way fail with `FLOTILLA_CLIENT_CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#watches.close();
    await this.leases.close();
    this.requester.close();
  }
}
