import type { LeaseRecords } from '../leases/lease-records.ts';
import type { Layers } from '../mvcc/layers.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { Pinned } from '../mvcc/pinned.ts';
import type { StateSummary } from '../mvcc/state.ts';
import type { KeySpan } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { ShardStore } from '../shard/shard-store.ts';

/** A row of the META table; see `shard-rows.ts` for the keys of a shard's. Value null: it goes. */
export interface MetaRow {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

/** What a part is, as of the entry that it stands at. */
export interface PartState {
  readonly applied: LogPosition;
  /** Written in the commit that has everything that was applied up to there. What is not named stays. */
  readonly rows: readonly MetaRow[];
}

/** The state of one Raft group in the store of a node: group 0's database, or the replica of a shard. */
export interface StorePart {
  readonly id: ShardId;
  /**
   * Asked when a commit is made of what was applied, of every part that said {@link NodeStore.changed} since it was
   * asked before; always between two entries.
   */
  freeze(): PartState;
  /** Everything up to this position of the part's log survives a crash. */
  flushed(applied: LogPosition): void;
}

/** A shard whose rows are in the storage, as they were at the start. */
export interface StoredShard {
  readonly shard: ShardId;
  /** The rest of each row's key (see `shardRowKey`) and its value; sorted. Empty where {@link StoredShard.mark} is not null. */
  readonly rows: readonly { readonly name: Uint8Array; readonly value: Uint8Array }[];
  /** Not null: it has no state. An install or a removal was cut off; what it left is being removed already. */
  readonly mark: ShardMark | null;
}

export interface ShardMark {
  readonly kind: 'installing' | 'removing';
  readonly span: KeySpan;
  /** What {@link NodeStore.install} was given to keep. */
  readonly note: Uint8Array;
}

/**
 * What a node keeps: one ordered storage, and one write buffer over it, for the replicas of all shards. Their keys are
 * disjoint, so rows of keys need no shard in them, and a split or merge moves none.
 *
 * Every commit carries, for each part that changed, the position in its log and its rows in META: what is stored is
 * always each part after some entry, and what several parts did in one turn (a split, a merge) is stored together or not
 * at all.
 */
export interface NodeStore {
  /** All of it, over all shards. A shard's own are limited to its span: {@link SharedShardStore.keys}. */
  readonly layers: Layers;
  /** The shards other than 0 that were stored when it was opened. */
  readonly stored: readonly StoredShard[];

  /** From here on it is asked at commits; it counts as changed. */
  add(part: StorePart): void;
  /** It is asked no more. Its rows stay: see {@link NodeStore.removeShard}. */
  drop(part: StorePart): void;
  /** The next commit has to carry what this part is. Does nothing else; to be said before the turn ends. */
  changed(shard: ShardId): void;
  /**
   * To be called when something was applied and every part stands between two entries: may make a commit of it at once,
   * or sets the time for one.
   */
  schedule(): void;
  /** Commits what is applied, now. Resolves when it is in storage, flushed or not. */
  commitNow(): Promise<void>;

  /** More waits for the storage than it should: writes had better be refused for a while. */
  readonly overloaded: boolean;
  readonly bufferedBytes: number;
  readonly bufferedOperations: number;
  /** Of all shards. Exact, as long as no shard that a split has made leaves the node, see {@link SharedShardStore}. */
  readonly liveBytes: number;

  /** The store of a shard that has nothing yet. */
  createShard(shard: ShardId, span: KeySpan, summary?: StateSummary): SharedShardStore;
  /** The store of a shard as its row {@link SharedShardStore.row} says. */
  openShard(shard: ShardId, row: Uint8Array): SharedShardStore;
  /** Whether no replica here claims a key of the span, `except` one's; nor are rows of it being removed. */
  hasRoom(span: KeySpan, except?: ShardId | null): boolean;

  /**
   * Replaces what a shard has by rows that come from elsewhere. Its part must have been dropped, and be added again when
   * it is over. `old`: what it had, whose rows are removed first; null: nothing. From the first commit on until `finish`
   * a mark stands instead of the shard's rows in META, found after a crash with `note` in it. Commits of other parts go on
   * between.
   */
  install(
    shard: ShardId,
    span: KeySpan,
    old: SharedShardStore | null,
    note: Uint8Array,
  ): Promise<ShardInstall>;
  /**
   * Removes all rows of a shard, in slices; under a mark, so that a crash does not stop it. Its part must have been
   * dropped. Resolves when its keys may be claimed again.
   */
  removeShard(store: SharedShardStore): Promise<void>;

  /** Commits and flushes what is applied, and closes the storage. */
  close(): Promise<void>;
}

/** Rows on their way in. */
export interface ShardInstall {
  /** Takes in what a snapshot carries: of {@link Table} LATEST, HISTORY or EVENTS, in the order of keys within each. */
  write(
    table: number,
    rows: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[],
  ): Promise<void>;
  /**
   * The last commit: the shard's rows in META instead of the mark. Resolves when it is durable, with the shard's store.
   * `rows`: asked with the store, whose own row must be among them.
   */
  finish(
    summary: StateSummary,
    rows: (store: SharedShardStore) => readonly MetaRow[],
  ): Promise<SharedShardStore>;
  /** Gives up: the mark stays, and what was written goes. */
  abort(): Promise<void>;
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
export interface SharedShardStore extends ShardStore {
  readonly shard: ShardId;
  readonly span: KeySpan;
  readonly attachments: LeaseRecords;
  /** The row of META that {@link NodeStore.openShard} opens it from: to be among those of {@link StorePart.freeze}. */
  row(): MetaRow;
  /** A view of the span as it is, for snapshots, long ranges and hashes. Release it. */
  pin(released?: () => void): Pinned;
  /** One slice of compaction up to `keys.compactRevision`; true when nothing is left to do. */
  compact(maxEvents: number): boolean;
  /** For snapshots: the events from the compaction revision on as chunks of one log. From a pinned view. */
  eventChunks(pinned: Pinned): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
}
