import type { KeyValue } from '@flotilla/wire';
import { compareBytes } from '../../src/bytes.ts';
import { EventCursor } from '../../src/mvcc/event-cursor.ts';
import { holdsKey, type KeySpan } from '../../src/shard/key-span.ts';
import type { ShardMachine } from '../../src/shard/shard-machine.ts';
import type { Cluster } from './cluster.ts';
import type { OrderingNode } from './node.ts';

export interface HubEvent {
  readonly key: Uint8Array;
  /** Null: deleted. */
  readonly kv: KeyValue | null;
}

export interface HubBatch {
  readonly revision: number;
  readonly events: readonly HubEvent[];
}

/** A client that watches a span from some node's hub, and resumes elsewhere after the last revision that it has whole. */
export class Watcher {
  readonly span: KeySpan;
  readonly got: HubBatch[] = [];
  /** Revisions that were compacted before it came to them. */
  readonly skipped: { readonly from: number; readonly to: number }[] = [];
  /** Everything up to here has come. */
  last: number;
  readonly from: number;
  readonly #cluster: Cluster;
  #link = 0;
  #node: OrderingNode | null = null;
  #incarnation = 0;

  constructor(cluster: Cluster, span: KeySpan) {
    this.#cluster = cluster;
    this.span = span;
    this.from = 1;
    this.last = this.from;
    const { world } = cluster;
    world.at(world.between(0, 200, 'watch'), () => this.#connect());
    world.every(90, 'reconnect', () => {
      if (!world.healed || !this.#isConnected) this.#connect();
    });
  }

  get #isConnected(): boolean {
    return this.#node !== null && this.#node.up && this.#node.incarnation === this.#incarnation;
  }

  /** A hub merges what the shards have, along the order that its node knows. */
  #connect(): void {
    const { world, nodes } = this.#cluster;
    const up = nodes.filter((one) => one.up);
    if (up.length === 0) return;
    this.#link += 1;
    const link = this.#link;
    const node = world.pick(up, 'hub');
    this.#node = node;
    this.#incarnation = node.incarnation;
    let sent = this.last;
    const poll = (): void => {
      if (link !== this.#link || !this.#isConnected || world.ended) return;
      sent = this.#advance(node, sent, link);
      world.at(5, poll);
    };
    poll();
  }

  #advance(node: OrderingNode, sent: number, link: number): number {
    const { world } = this.#cluster;
    const { index, frontier } = node.order;
    if (frontier <= sent) return sent;
    const serving = this.#cluster.serving(node, this.span, index);
    if (serving === null) return sent;
    const compacted = Math.max(-1, ...serving.map(({ replica }) => replica.shard.compactRevision));
    if (sent + 1 < compacted) {
      // Cancelled: it begins again at what is kept.
      world.coverage.count('watch behind the compaction');
      this.#deliver(link, () => {
        this.skipped.push({ from: this.last + 1, to: compacted });
        this.last = compacted - 1;
      });
      return compacted - 1;
    }
    const events = serving.flatMap(({ replica, span }) => eventsOf(replica.shard, span, sent, frontier));
    for (const batch of batches(events)) {
      this.#deliver(link, () => {
        this.got.push(batch);
        this.last = batch.revision;
      });
    }
    // A progress notice.
    if (world.chance(20, 'progress')) {
      this.#deliver(link, () => {
        this.last = Math.max(this.last, frontier);
      });
    }
    return frontier;
  }

  #deliver(link: number, take: () => void): void {
    // In order, or not at all.
    this.#cluster.world.at(0.2, () => {
      if (link === this.#link) take();
    });
  }
}

interface PlacedEvent extends HubEvent {
  readonly revision: number;
}

/** What happened in a span after one revision and up to another. */
export function eventsOf(
  { store }: ShardMachine,
  span: KeySpan,
  after: number,
  through: number,
): PlacedEvent[] {
  const events: PlacedEvent[] = [];
  const { layers } = store.keys;
  const cursor = new EventCursor(layers, after + 1);
  for (; cursor.event !== null && cursor.event.revision <= through; cursor.advance()) {
    const { key, revision, deleted } = cursor.event;
    if (holdsKey(span, key))
      events.push({ revision, key, kv: deleted ? null : layers.versionAt(key, revision) });
  }
  cursor.close();
  return events;
}

/** Whole revisions, in their order. */
function batches(events: readonly PlacedEvent[]): HubBatch[] {
  const byRevision = new Map<number, HubEvent[]>();
  for (const { revision, key, kv } of events) {
    const batch = byRevision.get(revision);
    if (batch === undefined) byRevision.set(revision, [{ key, kv }]);
    else batch.push({ key, kv });
  }
  return [...byRevision]
    .sort(([a], [b]) => a - b)
    .map(([revision, batch]) => ({ revision, events: batch.sort((a, b) => compareBytes(a.key, b.key)) }));
}
