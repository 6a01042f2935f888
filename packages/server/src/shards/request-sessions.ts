import type { Platform } from '@flotilla/platform';
import {
  limits as storeLimits,
  type RequestOrigin,
  type RequestSession,
  type RequestUser,
  sessionErrors,
} from '@flotilla/store';
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
  readonly #used: (session: number) => void;
  #own: OwnSession | null = null;
  #opening: Promise<OwnSession> | null = null;
  #opened = 0;

  /** `used`: called with the number of each session that a request is of. */
  constructor(platform: Platform, node: ShardNode, used: (session: number) => void) {
    this.#node = node;
    this.#used = used;
    const life = `${platform.random.fork('member-session').u32()}-${platform.random.u32()}`;
    // Clients cannot use such a name.
    this.#ownName = `member/${node.nodeId}/${life}`;
  }

  /** Throws what docs/sessions.md says of a client's session that is none, or another user's. */
  async number(
    session: RequestSession | null,
    user: RequestUser | null,
    deadline: Deadline,
  ): Promise<NumberedRequest> {
    if (session !== null) return await this.#ofClient(session, user?.name ?? '', deadline);
    const own = await this.#ownSession(deadline);
    this.#used(own.session);
    return own.next();
  }

  /** The session of this member is no more: the next request opens another. */
  expired(session: number): void {
    if (this.#own?.session === session) this.#own = null;
  }

  async #ofClient(
    { id, request, done }: RequestSession,
    owner: string,
    deadline: Deadline,
  ): Promise<NumberedRequest> {
    const session = this.#node.order?.sessionOf(id) ?? (await this.#find(id, owner, request, deadline));
    const known = this.#node.order?.session(session) ?? null;
    if (known !== null && known.owner !== owner) throw sessionErrors.otherUser;
    const floor = Math.max(done, request - storeLimits.sessionWindowRequests, 0) + 1;
    if (request < floor) throw sessionErrors.tooOld;
    this.#used(session);
    return { origin: { session, request, floor }, isClients: true, finish: () => undefined };
  }

  /** Only request 1 opens a session: of any other it may have been forgotten that it was executed. */
  async #find(name: string, owner: string, request: number, deadline: Deadline): Promise<number> {
    if (request === 1) {
      await this.#node.propose({ kind: 'open-session', name, owner }, deadline.patience());
    } else {
      await this.#node.frontier(deadline.patience());
    }
    const session = this.#node.order?.sessionOf(name) ?? null;
    if (session === null) throw sessionErrors.expired;
    return session;
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
    const name = `${this.#ownName}/${this.#opened}`;
    this.#own = new OwnSession(await this.#find(name, '', 1, deadline));
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
