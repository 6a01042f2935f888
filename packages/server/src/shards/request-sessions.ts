import type { Platform } from '@flotilla/platform';
import {
  type Footprint,
  limits as storeLimits,
  orderShard,
  type RequestOrigin,
  type RequestSession,
  type RequestUser,
  sessionErrors,
  type ShardId,
  type ShardMap,
  type ShardRow,
} from '@flotilla/store';
import type { Deadline } from './deadline.ts';
import type { ShardNode } from './types.ts';

/** What a request is known by within the cluster, as long as it is not finished. */
export interface NumberedRequest {
  /** For several shards, and for the order. As of now: the floor rises meanwhile. */
  readonly origin: RequestOrigin;
  /**
   * For one shard alone: its floor is that of the requests that the shard may be asked, so that another one, which is stuck,
   * does not have this one remember everything.
   */
  originFor(shard: ShardId): RequestOrigin;
  /** Whether it was numbered for the order, too: of others that may have given up all numbers up to it. */
  readonly isForOrder: boolean;
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
    touched: Touched,
    deadline: Deadline,
  ): Promise<NumberedRequest> {
    if (session !== null) return await this.#ofClient(session, user?.name ?? '', deadline);
    const own = await this.#ownSession(deadline);
    this.#used(own.session);
    return own.next(touched);
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
    const origin = { session, request, floor };
    return {
      origin,
      originFor: () => origin,
      isForOrder: true,
      isClients: true,
      finish: () => undefined,
    };
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
    this.#own = new OwnSession(await this.#find(name, '', 1, deadline), () => this.#node.order?.map ?? null);
    return this.#own;
  }
}

/** What a request may touch; null: the order alone. */
export type Touched = Pick<Footprint, 'spans' | 'filtersOwn'> | null;

/** Whether the order has to decide upon it. */
export function isOfSeveral(
  { filtersOwn }: Pick<Footprint, 'filtersOwn'>,
  rows: readonly ShardRow[],
): boolean {
  return rows.length > 1 || (filtersOwn && rows[0]?.shard !== orderShard);
}

interface OpenRequest {
  readonly touched: Touched;
  shards: readonly ShardId[];
}

class OwnSession {
  readonly session: number;
  readonly #map: () => ShardMap | null;
  /** In ascending order. */
  readonly #open = new Map<number, OpenRequest>();
  /** Those that each shard may be asked, in ascending order, by the map of a configuration. */
  #ofShards = new Map<ShardId, Set<number>>();
  #configuration = -1;
  #last = 0;

  constructor(session: number, map: () => ShardMap | null) {
    this.session = session;
    this.#map = map;
  }

  next(touched: Touched): NumberedRequest {
    this.#last += 1;
    const request = this.#last;
    const { session } = this;
    this.#follow();
    const isForOrder = this.#add(request, { touched, shards: [] });
    const open = this.#open;
    return {
      get origin(): RequestOrigin {
        const [floor = request] = open.keys();
        return { session, request, floor };
      },
      originFor: (shard) => ({ session, request, floor: Math.min(request, this.#floorOf(shard)) }),
      isForOrder,
      isClients: false,
      finish: () => this.#finish(request),
    };
  }

  #floorOf(shard: ShardId): number {
    this.#follow();
    const [floor = Infinity] = this.#ofShards.get(shard) ?? [];
    return floor;
  }

  #finish(request: number): void {
    for (const shard of this.#open.get(request)?.shards ?? []) {
      const open = this.#ofShards.get(shard);
      open?.delete(request);
      if (open?.size === 0) this.#ofShards.delete(shard);
    }
    this.#open.delete(request);
  }

  /** Ranges have changed: whoever may be asked is another one. */
  #follow(): void {
    const configuration = this.#map()?.configuration ?? 0;
    if (configuration === this.#configuration) return;
    this.#configuration = configuration;
    this.#ofShards = new Map();
    for (const [request, open] of this.#open) this.#add(request, open);
  }

  /** Whether the order hears of it. */
  #add(request: number, open: OpenRequest): boolean {
    const { touched } = open;
    const rows = touched === null ? [] : (this.#map()?.of(touched.spans) ?? []);
    const isForOrder = touched === null || isOfSeveral(touched, rows);
    const shards = new Set(rows.map(({ shard }) => shard));
    // One that touches no key goes there, too.
    if (isForOrder || rows.length === 0) shards.add(orderShard);
    open.shards = [...shards];
    this.#open.set(request, open);
    for (const shard of shards) {
      const others = this.#ofShards.get(shard);
      if (others === undefined) this.#ofShards.set(shard, new Set([request]));
      else others.add(request);
    }
    return isForOrder;
  }
}
