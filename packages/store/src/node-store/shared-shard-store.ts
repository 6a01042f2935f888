import { assert } from '@flotilla/platform';
import { compareBytes } from '../bytes.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { StateSum } from '../hash/state-sum.ts';
import { LeaseRecords } from '../leases/lease-records.ts';
import { Compactor } from '../mvcc/compaction.ts';
import { cutCounts, uniteCounts } from '../mvcc/count-borders.ts';
import { countKeys } from '../mvcc/key-counts.ts';
import { KeyScope } from '../mvcc/key-scope.ts';
import type { LayerStack } from '../mvcc/layer-stack.ts';
import { Layers } from '../mvcc/layers.ts';
import { Pinned } from '../mvcc/pinned.ts';
import { ShardLogs } from '../mvcc/shard-logs.ts';
import { MultiVersionState, type StateSummary } from '../mvcc/state.ts';
import { covers, holdsKey, type KeySpan, touches } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { ShardStore } from '../shard/shard-store.ts';
import type { OrderedStorage } from '../storage.ts';
import { Namespace } from '../system/namespaces.ts';
import { SystemTable } from '../system/system-table.ts';
import { ShardRowName, shardRowKey } from './shard-rows.ts';
import type { MetaRow } from './store-part.ts';
import { decodeStoreRow, encodeStoreRow } from './store-row.ts';

/** What the stores of a node's shards share. */
export interface SharedParts {
  readonly storage: OrderedStorage;
  readonly stack: LayerStack;
  /** A shard has keys of this node. */
  claimed(store: SharedShardStore): void;
  /** A neighbour has taken its keys over. */
  released(store: SharedShardStore): void;
  changed(shard: ShardId): void;
  /** Its sum is to be found again by reading. */
  sumForgotten(store: SharedShardStore): void;
}

/**
 * A shard's part of a node's store. `keys` are limited to the span: scans without bounds, counts, events, sums and
 * compaction are of it alone.
 *
 * Each shard writes an event log of its own, made at its first event. A split or merge closes it, and whoever has keys of
 * it lists it, with their span; it goes when compaction has passed it everywhere.
 *
 * `liveBytes` of a shard is an estimate after a split: parent and child share what there was in proportion to their
 * keys. Of all shards together it stays exact.
 */
export class SharedShardStore implements ShardStore {
  readonly shard: ShardId;
  readonly keys: MultiVersionState;
  readonly attachments: LeaseRecords;
  readonly #shared: SharedParts;
  readonly #scope: KeyScope;
  readonly #compactor: Compactor;
  /** Of a child that has not been narrowed to its own keys yet. */
  #parent: SharedShardStore | null = null;

  /** Of shard 0, whose state the database has. */
  constructor(shared: SharedParts, keys: MultiVersionState, attachments: LeaseRecords) {
    this.#shared = shared;
    this.#scope = keys.layers.scope;
    this.shard = this.#scope.shard;
    this.keys = keys;
    this.attachments = attachments;
    this.#compactor = new Compactor(keys);
    shared.claimed(this);
  }

  /** `sum`: of what is there; null: not known. */
  static over(
    shared: SharedParts,
    scope: KeyScope,
    summary: StateSummary,
    sum: number | null,
  ): SharedShardStore {
    const keys = new MultiVersionState(new Layers(shared.stack, scope), summary);
    keys.sum = new StateSum(sum);
    const system = new SystemTable(keys, true);
    return new SharedShardStore(shared, keys, new LeaseRecords(system, attachmentsOf(scope.shard)));
  }

  static open(shared: SharedParts, shard: ShardId, row: Uint8Array): SharedShardStore {
    const { span, summary, unevenThrough, ownLog, closedLogs, sum } = decodeStoreRow(row);
    const scope = new KeyScope(shard, span, new ShardLogs(ownLog, closedLogs, shared.stack.logs));
    const store = SharedShardStore.over(shared, scope, summary, sum);
    if (sum === null) shared.sumForgotten(store);
    store.keys.unevenThrough = unevenThrough;
    return store;
  }

  get span(): KeySpan {
    return this.#scope.span;
  }

  /** Whether it is all there is and as it was before there were shards. It is not again, once it was split. */
  get isPlain(): boolean {
    const { isWhole, logs } = this.#scope;
    return isWhole && logs.own === 0 && logs.closed.length === 0 && this.keys.unevenThrough === 0;
  }

  /** The row of META that it is opened from: to be among those of `StorePart.freeze`. */
  row(): MetaRow {
    const { span, logs } = this.#scope;
    const { summary, unevenThrough, sum } = this.keys;
    const value = encodeStoreRow({
      span,
      summary,
      unevenThrough,
      ownLog: logs.own,
      closedLogs: logs.closed,
      sum: sum === null ? null : sum.value,
    });
    return { key: shardRowKey(this.shard, ShardRowName.STORE), value };
  }

  // Ranges change.

  fork(child: ShardId): SharedShardStore {
    this.#endChapter();
    const { span, logs } = this.#scope;
    const summary = { ...this.keys.summary, liveBytes: 0 };
    const forked = SharedShardStore.over(this.#shared, new KeyScope(child, span, logs.fork()), summary, null);
    forked.keys.unevenThrough = this.keys.unevenThrough;
    forked.keys.removedThrough = this.keys.removedThrough;
    forked.#parent = this;
    return forked;
  }

  narrow(span: KeySpan): void {
    const whole = this.#scope.span;
    assert(covers(whole, span), 'a shard is narrowed to what it has');
    this.#endChapter();
    const parent = this.#parent;
    if (parent !== null) {
      this.#parent = null;
      this.#cut(whole, span);
      this.#share(parent, whole, span);
      for (const { id, key } of parent.attachments.attachments()) {
        if (!holdsKey(span, key)) continue;
        parent.attachments.detach(id, key);
        this.attachments.attach(id, key);
      }
    }
    this.#scope.span = span;
    this.#scope.logs.narrow(span);
    this.#shared.changed(this.shard);
    this.#shared.sumForgotten(this);
  }

  absorb(drained: ShardStore, span: KeySpan): void {
    assert(drained instanceof SharedShardStore, 'the shards of a node share its store');
    const mine = this.#scope.span;
    const isRight = touches(mine, span);
    assert(isRight || touches(span, mine), 'a neighbour is absorbed');
    this.#endChapter();
    drained.#endChapter();
    const [left, right] = isRight ? [mine, span] : [span, mine];
    this.#scope.logs.absorb(drained.#scope.logs);
    this.#scope.span = { from: left.from, to: right.to };
    uniteCounts(this.keys.layers, right.from);
    for (const { id, key } of drained.attachments.attachments()) {
      drained.attachments.detach(id, key);
      this.attachments.attach(id, key);
    }
    this.#uniteHistories(drained.keys);
    this.#shared.released(drained);
    this.#shared.changed(this.shard);
    this.#shared.sumForgotten(this);
  }

  /** Compaction may have come differently far in the two. */
  #uniteHistories(other: MultiVersionState): void {
    const { keys } = this;
    const [low, high] = [keys.compactedThrough, other.compactedThrough].sort((a, b) => a - b) as [
      number,
      number,
    ];
    const uneven = low === high ? 0 : high;
    keys.unevenThrough = Math.max(keys.unevenThrough, other.unevenThrough, uneven);
    keys.compactedThrough = low;
    keys.removedThrough = Math.max(keys.removedThrough, other.removedThrough);
    keys.compactRevision = Math.max(keys.compactRevision, other.compactRevision);
    keys.skipTo(Math.max(keys.revision, other.revision));
    keys.liveBytes += other.liveBytes;
    other.liveBytes = 0;
  }

  /** Before a range changes: what is cached, half done, or would go on is ended. */
  #endChapter(): void {
    const { keys } = this;
    keys.forgetCaches();
    this.#compactor.abandon();
    this.#scope.logs.close(this.#scope.span, keys.revision);
    // What was summed is another state's: it is found again by reading, as after a snapshot.
    if (keys.sum !== null) keys.sum = new StateSum(null);
  }

  #cut(whole: KeySpan, part: KeySpan): void {
    const { layers } = this.keys;
    if (compareBytes(whole.from, part.from) !== 0) cutCounts(layers, part.from);
    const isToTheEnd = part.to === null || (whole.to !== null && compareBytes(whole.to, part.to) === 0);
    if (!isToTheEnd) cutCounts(layers, part.to);
  }

  #share(parent: SharedShardStore, whole: KeySpan, part: KeySpan): void {
    const { layers } = this.keys;
    const all = countKeys(layers, whole.from, whole.to);
    const share = all === 0 ? 0 : countKeys(layers, part.from, part.to) / all;
    const bytes = Math.round(parent.keys.liveBytes * share);
    parent.keys.liveBytes -= bytes;
    this.keys.liveBytes += bytes;
  }

  // Reading and compaction.

  /** A view of the span as it is, for snapshots, long ranges and hashes. Release it. */
  pin(released?: () => void): Pinned {
    return new Pinned(this.keys, this.#shared.storage, released);
  }

  /** One slice of compaction up to `keys.compactRevision`; true when nothing is left to do. */
  compact(maxEvents: number): boolean {
    const { keys } = this;
    const isDone = this.#compactor.slice(maxEvents);
    // A watch may start at the compaction revision itself.
    const needed = Math.min(keys.compactRevision, keys.compactedThrough + 1);
    const isLess = this.#scope.logs.forgetBefore(needed);
    // How far it has come alone need not be stored.
    if (isLess || this.#shared.stack.active.operations > 0) this.#shared.changed(this.shard);
    return isDone;
  }
}

/** Those of shard 0 are where they were before there were shards. */
export function attachmentsOf(shard: ShardId): {
  readonly namespace: Namespace;
  readonly prefix: Uint8Array;
} {
  if (shard === 0) return { namespace: Namespace.LEASE_KEY, prefix: new Uint8Array(0) };
  const writer = new ByteWriter(4);
  writer.uint32(shard);
  return { namespace: Namespace.SHARD, prefix: writer.take() };
}
