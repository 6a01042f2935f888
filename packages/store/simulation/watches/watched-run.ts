import { checkWatches, describeVerdict, type EtcdEvent, type RevisionEvents } from '@flotilla/check';
import type { Tape } from '@flotilla/sim';
import type { ShardEffect } from '../../src/shard/shard-entry.ts';
import type { OrderEffect, OrderEntry } from '../../src/order/order-entry.ts';
import type { Change } from '../../src/mvcc/state.ts';
import { bytesToString } from '../../src/bytes.ts';
import type { WatchHubOptions } from '../../src/watch/hub.ts';
import { Client } from '../ordering/client.ts';
import { Cluster } from '../ordering/cluster.ts';
import type { GroupEntry, Replica } from '../ordering/group.ts';
import type { OrderingHistory } from '../ordering/history.ts';
import { Operator } from '../ordering/operator.ts';
import { Oracle } from '../ordering/oracle.ts';
import { OrderingWorld } from '../ordering/world.ts';
import { Workload } from '../ordering/workload.ts';
import { NodeHub } from './node-hub.ts';
import { plain, WatchingClient, type WatchShape } from './watching-client.ts';

const clientCount = 8;
const watcherCount = 6;
const chaosMs = 400;
const workMs = 150;
const longestMs = 6_000;

/** So small that everything is cut, falls behind and waits. */
const narrow: Partial<WatchHubOptions> = {
  fragmentBytes: 150,
  streamBufferBytes: 600,
  streamBufferResponses: 3,
  batchBytes: 400,
  batchEvents: 4,
  sliceWatchers: 2,
  sliceEvents: 5,
  progressIntervalMs: 60,
};

export interface WatchedRun {
  /** Null: everything held. */
  readonly violation: string | null;
  readonly coverage: OrderingWorld['coverage'];
}

class WatchedCluster extends Cluster {
  onApplied: ((replica: Replica, entry: OrderEntry | null) => void) | null = null;

  override applied(
    replica: Replica,
    entry: GroupEntry | null,
    term: number,
    effects: readonly (ShardEffect | OrderEffect)[],
  ): void {
    super.applied(replica, entry, term, effects);
    // Not there yet while the cluster is being built.
    if (replica.group.isOrder) this.onApplied?.(replica, entry as OrderEntry | null);
  }
}

/** The shards of the ordering scenario, and on every node the hub that real members have, over replicas wherever they are. */
export class WatchedShards {
  readonly world: OrderingWorld;
  readonly #cluster: WatchedCluster;
  readonly #history: OrderingHistory = { writes: new Map(), reads: [], admin: [] };
  readonly #operator: Operator;
  readonly #clients: Client[];
  readonly #watching: WatchingClient[];
  readonly #options: Partial<WatchHubOptions>;
  readonly #hubs = new Map<number, NodeHub>();
  #failure: unknown = null;
  /** Promises may go on. */
  #isStirred = false;

  constructor(tape: Tape) {
    this.world = new OrderingWorld(tape);
    const { world } = this;
    this.#cluster = new WatchedCluster(world);
    this.#operator = new Operator(this.#cluster, this.#history, chaosMs);
    const workload = new Workload(world, () => this.#operator.leases);
    this.#clients = Array.from(
      { length: clientCount },
      (_, i) => new Client(this.#cluster, workload, this.#history, `c${i}`, chaosMs + workMs),
    );
    this.#options = world.chance(60, 'narrow') ? narrow : {};
    this.#cluster.onApplied = (replica, entry) => {
      const hub = this.#hubs.get(replica.node.id);
      if (hub?.isUp === true) hub.applied(entry);
    };
    this.#watching = Array.from(
      { length: watcherCount },
      (_, i) =>
        new WatchingClient(
          world,
          shapeOf(world, workload),
          world.below(3, 'start') === 0 ? 0 : 1 + world.below(20, 'from'),
          `w${i}`,
        ),
    );
    for (const client of this.#watching) this.#follow(client);
    world.at(chaosMs, () => this.#operator.heal());
    world.every(10, 'settling', () => {
      world.settling = this.#clients.every(({ finished }) => finished) && this.#operator.pending === 0;
    });
  }

  async run(): Promise<WatchedRun> {
    const { world } = this;
    const { witness } = this.#cluster;
    while (world.now < longestMs && !this.#isOver()) {
      world.step();
      if (this.#isStirred) await this.#turn();
      if (witness.violation !== null) return this.#end(witness.violation.message);
      if (this.#failure !== null) throw this.#failure;
    }
    world.ended = true;
    if (!this.#isOver())
      return this.#end(`watches do not come to their end: ${this.#watching.map(String).join()}`);
    return this.#end(this.#judge());
  }

  async #turn(): Promise<void> {
    this.#isStirred = false;
    for (let i = 0; i < 12; i += 1) await Promise.resolve();
  }

  #end(violation: string | null): WatchedRun {
    return { violation, coverage: this.world.coverage };
  }

  #isOver(): boolean {
    if (!this.world.settling || !this.#cluster.isQuiet || !this.world.healed) return false;
    const frontier = Math.max(...this.#cluster.nodes.map(({ order }) => order.frontier));
    return this.#watching.every((client) => client.hasAll(frontier));
  }

  #follow(client: WatchingClient): void {
    const { world } = this;
    const connect = (): void => {
      const up = this.#cluster.nodes.filter((node) => node.up);
      if (up.length > 0) client.connect(this.#hubOf(world.pick(up, 'hub')));
    };
    world.at(world.between(0, 200, 'watch'), connect);
    world.every(90, 'reconnect', () => {
      if (!client.isConnected || (!world.healed && world.chance(50, 'elsewhere'))) connect();
    });
    world.every(40, 'pace', () => client.be(!world.healed && world.chance(40, 'slow')));
    world.every(30, 'progress', () => client.ask());
  }

  #hubOf(node: Cluster['nodes'][number]): NodeHub {
    let hub = this.#hubs.get(node.id);
    if (hub?.isUp !== true) {
      hub = new NodeHub(this.#cluster, node, this.#options, {
        stirred: () => {
          this.#isStirred = true;
        },
        failed: (error) => {
          this.#failure ??= error;
        },
      });
      this.#hubs.set(node.id, hub);
    }
    return hub;
  }

  #judge(): string | null {
    const oracle = new Oracle(this.#cluster, this.#history);
    const wrong = oracle.judge(this.#clients, []);
    if (wrong !== null) return wrong.message;
    const revisions = [...oracle.events]
      .sort(([a], [b]) => a - b)
      .map(([revision, changes]) => eventsOf(revision, changes));
    const compactRevision = Math.max(...this.#cluster.nodes.map(({ order }) => order.compactRevision));
    const records = this.#watching.flatMap((client) => client.toRecords());
    const { coverage } = this.world;
    coverage.count('revision', revisions.length);
    coverage.count('watch', records.length);
    coverage.count(
      'event',
      records.reduce(
        (sum, { responses }) => sum + responses.reduce((all, { events }) => all + events.length, 0),
        0,
      ),
    );
    coverage.count(
      'progress',
      this.#watching.reduce((sum, { progress }) => sum + progress, 0),
    );
    const verdict = checkWatches(records, revisions, { compactRevision });
    return verdict.outcome === 'ok' ? null : describeVerdict(verdict);
  }
}

function shapeOf(world: OrderingWorld, workload: Workload): WatchShape {
  const { from: key, to } = workload.span();
  const isAll = world.chance(30, 'all keys');
  return {
    key: isAll ? Uint8Array.of(0) : key,
    rangeEnd: isAll ? Uint8Array.of(0) : (to as Uint8Array),
    prevKv: world.chance(50, 'previous'),
    filters: world.pick([[], [], [0], [1]], 'filters'),
    fragment: world.chance(30, 'fragment'),
    progressNotify: world.chance(50, 'progress'),
  };
}

function eventsOf(revision: number, changes: readonly Change[]): RevisionEvents {
  return {
    revision,
    events: changes.map(({ kv, deleted }): EtcdEvent =>
      deleted
        ? { type: 'delete', key: bytesToString(kv.key), modRevision: revision }
        : { type: 'put', kv: plain(kv) },
    ),
  };
}
