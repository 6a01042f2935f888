import type { Platform } from '@flotilla/platform';
import { intersection, type KeySpan } from '@flotilla/store';
import { etcdErrors } from '@flotilla/wire';
import { limits } from '../limits.ts';
import { Changes } from './changes.ts';
import { Coordinator } from './coordinator.ts';
import { PartReader } from './part-reader.ts';
import { type ReadPlace, ShardReader } from './reader.ts';
import { PinnedParts } from './pinned-parts.ts';
import { ShardRequests } from './shard-requests.ts';
import { RequestSessions } from './request-sessions.ts';
import { SessionUses } from './session-uses.ts';
import { ShardRouter, type ShardRouterParts } from './router.ts';
import type { ShardNode } from './types.ts';

/** What a member does for clients of a sharded cluster, from the shards of its node. */
export class ShardServices {
  readonly changes: Changes;
  readonly sessions: RequestSessions;
  readonly router: ShardRouter;
  readonly parts: PartReader;
  readonly reader: ShardReader;
  readonly pinned: PinnedParts;
  readonly counts = new ShardRequests();
  readonly #node: ShardNode;
  readonly #coordinator: Coordinator;
  readonly #uses: SessionUses;

  constructor(
    platform: Platform,
    node: ShardNode,
    { isCurrent, renewed }: Pick<ShardRouterParts, 'isCurrent' | 'renewed'>,
  ) {
    this.#node = node;
    this.changes = new Changes(platform, node);
    this.#uses = new SessionUses({ platform, node, idleMs: limits.sessionIdleMs });
    this.sessions = new RequestSessions(platform, node, (session) => this.#uses.used(session));
    const parts = { platform, node, changes: this.changes };
    this.#coordinator = new Coordinator(parts);
    this.router = new ShardRouter({
      ...parts,
      sessions: this.sessions,
      coordinator: this.#coordinator,
      counts: this.counts,
      isCurrent,
      renewed,
    });
    this.parts = new PartReader(parts);
    this.pinned = new PinnedParts(platform, node, this.changes);
    this.reader = new ShardReader({
      platform,
      parts: this.parts,
      pinned: this.pinned,
      place: () => this.place,
      counted: (kind, spans) => this.counts.count(kind, spans, node.order),
      placeHere: (spans) => this.#placeHere(spans),
    });
  }

  /** As far as this node knows of the order. */
  get place(): ReadPlace {
    const { order } = this.#node;
    if (order === null) throw etcdErrors.unhealthy;
    return { index: order.index, revision: order.frontier, compactRevision: order.compactRevision };
  }

  /**
   * The newest revision that all replicas here have everything of, which these keys are in. What this node knows to have
   * happened is waited for a little: a client finds here what it was told here.
   */
  async #placeHere(spans: readonly KeySpan[]): Promise<ReadPlace | null> {
    const wanted = this.place.revision;
    const isThere = (): boolean => (this.#newestHere(spans)?.revision ?? wanted) >= wanted;
    if (!isThere()) await this.changes.until(isThere, limits.shardReadOwnMs);
    return this.#newestHere(spans);
  }

  #newestHere(spans: readonly KeySpan[]): ReadPlace | null {
    const { order } = this.#node;
    if (order === null) return null;
    let { revision } = this.place;
    let isBehind = false;
    for (const { shard, span } of order.map.of(spans)) {
      const own = this.#node.replica(shard);
      const wanted = spans.flatMap((one) => intersection(one, span) ?? []);
      if (own?.isReady !== true || !own.machine.owns(wanted)) return null;
      if (own.machine.ordered >= (order.lastFact(shard, order.index) ?? Infinity)) continue;
      isBehind = true;
      revision = Math.min(revision, own.machine.known);
    }
    if (order.compactRevision > revision) return null;
    return { ...this.place, index: isBehind ? null : order.index, revision };
  }

  stop(): void {
    this.#coordinator.stop();
    this.pinned.stop();
    this.#uses.stop();
    this.changes.stop();
  }
}
