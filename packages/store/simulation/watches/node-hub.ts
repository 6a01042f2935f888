import { FlotillaError } from '@flotilla/platform';
import type { EventAnswer, EventRequest } from '../../src/watch/event-page.ts';
import { WatchHub, type WatchHubOptions } from '../../src/watch/hub.ts';
import { MergedHistory } from '../../src/watch/merged-history.ts';
import { readShardEvents } from '../../src/watch/read-events.ts';
import type { OrderEntry } from '../../src/order/order-entry.ts';
import type { Cluster } from '../ordering/cluster.ts';
import type { OrderingNode } from '../ordering/node.ts';
import { type HubDriver, HubPlatform } from './hub-platform.ts';

/** The hub of one life of a node, and what it asks of replicas elsewhere. */
export class NodeHub {
  readonly hub: WatchHub;
  readonly node: OrderingNode;
  readonly #cluster: Cluster;
  readonly #driver: HubDriver;
  readonly #incarnation: number;
  readonly #history: MergedHistory;
  readonly #grown: () => void;
  #order: OrderingNode['order'];

  constructor(cluster: Cluster, node: OrderingNode, options: Partial<WatchHubOptions>, driver: HubDriver) {
    this.#cluster = cluster;
    this.node = node;
    this.#incarnation = node.incarnation;
    this.#driver = driver;
    this.#order = node.order;
    const platform = new HubPlatform(cluster.world, () => this.isUp, driver);
    this.#history = new MergedHistory({
      platform,
      order: () => node.order,
      newest: () =>
        new Promise((resolve) => {
          cluster.frontier(node, ({ revision }) => {
            driver.stirred();
            resolve(revision);
          });
        }),
      read: (request) => this.#read(request),
    });
    this.hub = new WatchHub(platform, node.order.own.store.keys, options);
    this.hub.hold();
    this.#grown = this.hub.follow(this.#history);
  }

  get isUp(): boolean {
    return this.node.up && this.node.incarnation === this.#incarnation;
  }

  /** An entry of the order is applied at the node. */
  applied(entry: OrderEntry | null): void {
    if (this.node.order !== this.#order) {
      this.#order = this.node.order;
      this.#history.restored();
    }
    if (entry !== null) this.#history.applied(entry);
    this.#grown();
  }

  /** Some replica, wherever it is and whatever it has applied: in time, late, or not at all. */
  #read(request: EventRequest): Promise<EventAnswer> {
    const { world } = this.#cluster;
    const isSlow = !world.healed && world.chance(10, 'slow source');
    return new Promise((resolve, reject) => {
      world.at(world.between(0.1, isSlow ? 60 : 3, 'events'), () => {
        this.#driver.stirred();
        if (!world.healed && world.chance(8, 'no source')) {
          reject(new FlotillaError('FLOTILLA_PEER_CALL_FAILED', 'the node cannot be reached'));
          return;
        }
        resolve(this.#answer(request));
      });
    });
  }

  #answer(request: EventRequest): EventAnswer {
    const { world, groups } = this.#cluster;
    const replicas = [...(groups.get(request.shard)?.replicas.values() ?? [])].filter(({ node }) => node.up);
    let last: EventAnswer = { kind: 'behind' };
    while (replicas.length > 0) {
      const [replica] = replicas.splice(world.below(replicas.length, 'which replica'), 1);
      if (replica === undefined) break;
      last = readShardEvents(replica.shard, request);
      world.coverage.count(`events ${last.kind}`);
      if (last.kind !== 'behind') return last;
    }
    return last;
  }
}
