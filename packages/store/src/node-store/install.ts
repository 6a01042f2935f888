import type { StateSummary } from '../mvcc/state.ts';
import type { KeySpan } from '../shard/key-span.ts';
import type { ShardId } from '../shard/shard-entry.ts';
import type { SharedShardStore } from './shared-shard-store.ts';
import type { MetaRow } from './store-part.ts';

/** Rows on their way in. */
export interface ShardInstall {
  /**
   * Takes in what a snapshot carries: of {@link Table} LATEST, HISTORY, EVENTS or SYSTEM, in the order of keys within each.
   */
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

/** What an install is told. */
export interface InstallBegin {
  readonly shard: ShardId;
  readonly span: KeySpan;
  /** What it had, whose rows are removed first; null: nothing. */
  readonly old: SharedShardStore | null;
  /** Found in the mark after a crash. */
  readonly note: Uint8Array;
  /** Rows of META that come with the mark. */
  readonly instead?: readonly MetaRow[];
}

/** As {@link ShardInstall}, without a store at its end. */
export interface RowInstall {
  /** Where its events go. */
  readonly log: number;
  write: ShardInstall['write'];
  finish(rows: readonly MetaRow[]): Promise<void>;
  abort(): Promise<void>;
}
