import type { Platform } from '@flotilla/platform';
import { etcdErrors } from '@flotilla/wire';
import { Changes } from './changes.ts';
import { Coordinator } from './coordinator.ts';
import { PartReader } from './part-reader.ts';
import { type ReadPlace, ShardReader } from './reader.ts';
import { RequestSessions } from './request-sessions.ts';
import { ShardRouter } from './router.ts';
import type { ShardNode } from './types.ts';

/** What a member does for clients of a sharded cluster, from the shards of its node. */
export class ShardServices {
  readonly changes: Changes;
  readonly sessions: RequestSessions;
  readonly router: ShardRouter;
  readonly parts: PartReader;
  readonly reader: ShardReader;
  readonly #node: ShardNode;
  readonly #coordinator: Coordinator;

  constructor(platform: Platform, node: ShardNode) {
    this.#node = node;
    this.changes = new Changes(platform, node);
    this.sessions = new RequestSessions(platform, node);
    const parts = { platform, node, changes: this.changes };
    this.#coordinator = new Coordinator(parts);
    this.router = new ShardRouter({ ...parts, sessions: this.sessions, coordinator: this.#coordinator });
    this.parts = new PartReader(parts);
    this.reader = new ShardReader({ platform, parts: this.parts, place: () => this.place });
  }

  /** As far as this node knows of the order. */
  get place(): ReadPlace {
    const { order } = this.#node;
    if (order === null) throw etcdErrors.unhealthy;
    return { index: order.index, revision: order.frontier, compactRevision: order.compactRevision };
  }

  stop(): void {
    this.#coordinator.stop();
    this.changes.stop();
  }
}
