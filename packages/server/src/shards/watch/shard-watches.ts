import { assert, FlotillaError, type Platform } from '@flotilla/platform';
import { MergedHistory, type OrderMachine, type WatchHub } from '@flotilla/store';
import { limits } from '../../limits.ts';
import type { Changes } from '../changes.ts';
import type { ShardNode } from '../types.ts';
import { EventSource } from './event-source.ts';

export interface ShardWatchesParts {
  readonly platform: Platform;
  readonly node: ShardNode;
  readonly changes: Changes;
  /** The database's: streams that are open go on. */
  readonly hub: WatchHub;
}

/**
 * Once the cluster is sharded the watches of a member are told of all shards: whenever the order has advanced on this
 * node, what is watched here is asked of the shards that have written, and told in order, whole revisions only
 * (rule 11). The database has held its watches where the order begins; they go on from there.
 */
export class ShardWatches {
  readonly #platform: Platform;
  readonly #node: ShardNode;
  readonly #hub: WatchHub;
  readonly #source: EventSource;
  readonly #unsubscribe: readonly (() => void)[];
  /** Null: the cluster is not sharded yet, as far as this node has applied. */
  #history: MergedHistory | null = null;
  #grown: () => void = () => undefined;
  #stopped = false;

  constructor({ platform, node, changes, hub }: ShardWatchesParts) {
    this.#platform = platform;
    this.#node = node;
    this.#hub = hub;
    this.#source = new EventSource({ platform, node, changes });
    this.#unsubscribe = [
      node.onOrder(({ entry }) => {
        if (entry !== null) this.#history?.applied(entry);
        this.#advanced();
      }),
      node.onReplicas(() => {
        this.#history?.restored();
        this.#advanced();
      }),
    ];
    if (node.order !== null) this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
  }

  #advanced(): void {
    if (this.#history !== null) return this.#grown();
    // Not in the middle of applying: the database has something to tell before.
    this.#platform.defer(() => this.#begin());
  }

  #begin(): void {
    if (this.#history !== null || this.#node.order === null || this.#stopped) return;
    this.#history = new MergedHistory({
      platform: this.#platform,
      order: () => this.#order,
      newest: () => this.#newest(),
      read: (request) => this.#source.read(request),
    });
    this.#hub.hold();
    this.#grown = this.#hub.follow(this.#history);
  }

  get #order(): OrderMachine {
    const { order } = this.#node;
    assert(order !== null, 'a cluster that is sharded stays so');
    return order;
  }

  /** Without a leader a watch begins where this node is, as it does in etcd. */
  async #newest(): Promise<number> {
    try {
      const { revision } = await this.#node.frontier({ timeoutMs: limits.watchFrontierMs });
      return revision;
    } catch (error) {
      if (!(error instanceof FlotillaError)) throw error;
      return this.#order.frontier;
    }
  }
}
