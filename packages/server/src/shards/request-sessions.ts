import type { Platform } from '@flotilla/platform';
import type { RequestOrigin, RequestSession } from '@flotilla/store';
import { limits as storeLimits, sessionErrors } from '@flotilla/store';
import type { Deadline } from './deadline.ts';
import type { ShardNode } from './types.ts';

/** What a request is known by within the cluster, as long as it is not finished. */
export interface NumberedRequest {
  /** As of now: the floor rises meanwhile. */
  readonly origin: RequestOrigin;
  /** Whether it is a client's own session, which the client may ask with again. */
  readonly isClients: boolean;
  /** It has had its answer, and no copy of it may take effect any more. */
  finish(): void;
}

/**
 * Gives requests their numbers (rule 6): those of a client's own session have the client's, all others one of a session
 * of this life of the member. Sessions are opened in the order, under names, and known by number from then on.
 */
export class RequestSessions {
  readonly #node: ShardNode;
  readonly #ownName: string;
  /** By name, as they were found in the order. */
  readonly #known = new Map<string, number>();
  #own: OwnSession | null = null;
  #opening: Promise<OwnSession> | null = null;
  #opened = 0;

  constructor(platform: Platform, node: ShardNode) {
    this.#node = node;
    const life = `${platform.random.fork('member-session').u32()}-${platform.random.u32()}`;
    // Clients cannot use such a name.
    this.#ownName = `member/${node.nodeId}/${life}`;
  }

  async number(session: RequestSession | null, deadline: Deadline): Promise<NumberedRequest> {
    if (session !== null) return await this.#ofClient(session, deadline);
    const own = await this.#ownSession(deadline);
    return own.next();
  }

  /** The session of this member is no more: the next request opens another. */
  expired(session: number): void {
    if (this.#own?.session === session) this.#own = null;
  }

  /** The number that a client's session has; null: there is none, as far as this node knows. */
  numberOf(name: string): number | null {
    const { order } = this.#node;
    if (order === null) return null;
    const known = this.#known.get(name);
    if (known !== undefined && order.hasSession(known)) return known;
    this.#known.delete(name);
    const found = order.sessionOf(name);
    if (found !== null) this.#keep(name, found);
    return found;
  }

  async #ofClient({ id, request, done }: RequestSession, deadline: Deadline): Promise<NumberedRequest> {
    const session = this.numberOf(id) ?? (await this.#open(id, request, deadline));
    const floor = Math.max(done, request - storeLimits.sessionWindowRequests, 0) + 1;
    return { origin: { session, request, floor }, isClients: true, finish: () => undefined };
  }

  /** Only request 1 opens a session: of any other it may have been forgotten that it was executed. */
  async #open(name: string, request: number, deadline: Deadline): Promise<number> {
    if (request !== 1) {
      await this.#node.frontier(deadline.patience());
      const known = this.numberOf(name);
      if (known === null) throw sessionErrors.expired;
      return known;
    }
    const session = await this.#node.openSession(name, deadline.patience());
    this.#keep(name, session);
    return session;
  }

  #keep(name: string, session: number): void {
    if (this.#known.size >= storeLimits.orderSessions) this.#known.clear();
    this.#known.set(name, session);
  }

  async #ownSession(deadline: Deadline): Promise<OwnSession> {
    const own = this.#own;
    if (own !== null && this.#node.order?.hasSession(own.session) === true) return own;
    this.#opening ??= this.#openOwn(deadline).finally(() => {
      this.#opening = null;
    });
    return await this.#opening;
  }

  async #openOwn(deadline: Deadline): Promise<OwnSession> {
    this.#opened += 1;
    const session = await this.#node.openSession(`${this.#ownName}/${this.#opened}`, deadline.patience());
    this.#own = new OwnSession(session);
    return this.#own;
  }
}

class OwnSession {
  readonly session: number;
  /** In ascending order. */
  readonly #open = new Set<number>();
  #last = 0;

  constructor(session: number) {
    this.session = session;
  }

  next(): NumberedRequest {
    this.#last += 1;
    const request = this.#last;
    const open = this.#open;
    const { session } = this;
    open.add(request);
    return {
      get origin(): RequestOrigin {
        const [floor = request] = open;
        return { session, request, floor };
      },
      isClients: false,
      finish: () => {
        open.delete(request);
      },
    };
  }
}
