import type { LogPosition } from '../mvcc/meta.ts';
import type { ShardId } from '../shard/shard-entry.ts';

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
   * Asked when a commit is made of what was applied, of every part that said `changed` since it was
   * asked before; always between two entries.
   */
  freeze(): PartState;
  /** Everything up to this position of the part's log survives a crash. */
  flushed(applied: LogPosition): void;
}
