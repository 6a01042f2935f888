import type { Platform } from '@flotilla/platform';
import type { Entry, HardState, Index, LogEnd, NodeId, SnapshotMeta, Term, Write } from '../core/types.ts';
import type { GroupId } from '../host/types.ts';
import type { LogLimits } from './limits.ts';

/** Which log to open. */
export interface LogOptions {
  /** Created when it is not there. Nobody else's files may lie in it. */
  readonly directory: string;
  /** An unsigned 64-bit number. A log of another cluster is refused with `FLOTILLA_LOG_FOREIGN`. */
  readonly clusterId: bigint;
  /** A log of another member is refused with `FLOTILLA_LOG_FOREIGN`. */
  readonly nodeId: NodeId;
  readonly limits?: Partial<LogLimits>;
}

/** What one group does in one turn: exactly one record, atomic and checksummed. */
export interface LogRecord {
  readonly group: GroupId;
  readonly write: Write;
}

/**
 * What the log knows of a group at start: {@link Restored} of the core but for `applied`, which the state machine
 * knows.
 *
 * `hardState.commit` may be behind what was committed (and even applied) in the life before: a write with
 * `mustSync: false` is not synced. Whoever knows a later commit index, from a flushed state machine, uses that.
 */
export interface RecoveredGroup {
  readonly hardState: HardState;
  /** Index and term 0 and an empty configuration when the group never wrote one. */
  readonly snapshot: SnapshotMeta;
  readonly termRuns: readonly { readonly from: Index; readonly term: Term }[];
  readonly lastIndex: Index;
  /** Every configuration entry after the snapshot, committed or not, in index order. */
  readonly membership: readonly Entry[];
  /** Of a group that was removed and is back: where its log ended then, until this one is as far. Null unless given. */
  readonly former?: LogEnd | null;
}

/** A log, and what it knew of its groups when it was opened. */
export interface OpenedLog {
  readonly log: WriteAheadLog;
  readonly groups: ReadonlyMap<GroupId, RecoveredGroup>;
  /** Groups that were removed, and not forgotten. */
  readonly removed?: readonly GroupId[];
}

/**
 * Opens a {@link WriteAheadLog}, or makes one. `openLog` is ours; run `logConformance` of
 * `@flotilla/raft/conformance` against your own.
 */
export type LogOpener = (platform: Platform, options: LogOptions) => Promise<OpenedLog>;

/** What a log holds and has done in this life. */
export interface LogStats {
  /** On disk, preallocated space included. */
  readonly totalBytes: number;
  /** Of records with at least one entry that is neither truncated nor compacted. */
  readonly liveBytes: number;
  readonly segments: number;
  readonly batches: number;
  readonly records: number;
  readonly entries: number;
  readonly writtenBytes: number;
  readonly syncs: number;
  readonly relocatedBytes: number;
  /** Why the log takes no more appends, or null. */
  readonly failure: Error | null;
}

/**
 * One write-ahead log for all groups of a process.
 *
 * Every promise here rejects with `FLOTILLA_LOG_FAILED` once a write or a sync has failed (the cause is the disk's
 * error) and with `FLOTILLA_LOG_CLOSED` after {@link WriteAheadLog.close}.
 */
export interface WriteAheadLog {
  /**
   * Appends the records of a turn: one file write and one sync for all of them, together with whatever else arrived
   * while the sync before was under way. Resolves when they are durable, always in the order of the calls: when one
   * resolves, every earlier one has.
   *
   * A record whose write has `mustSync: false` is durable with the next one that must be synced, or when the log has
   * been idle for `limits.idleMarkMs`; its promise does not wait for that, only for the appends before it.
   *
   * A crash keeps every resolved append and a prefix of the records of the others, in the order of the calls.
   *
   * @example
   * await log.append([{ group: 0, write: effects.write }]);
   * core.step({ type: 'persisted', upTo: effects.write.sequence });
   */
  append(records: readonly LogRecord[]): Promise<void>;
  /**
   * Entries `from` (inclusive) to `to` (exclusive) as they are at the time of the call: at most `maxBytes` of payload,
   * but always at least one entry where there is one. `compacted`: `from` is at or before the group's snapshot.
   * Entries are there from the moment in which their record is written.
   * Rejects with `FLOTILLA_LOG_DAMAGED` when what lies on disk fails its checksum.
   */
  read(group: GroupId, from: Index, to: Index, maxBytes: number): Promise<readonly Entry[] | 'compacted'>;
  /**
   * Lets go of the group's entries up to `through.index`, of which the state machine must hold a *flushed* effect.
   * Resolves when that is durable. Does nothing when the log is compacted further already.
   */
  compact(group: GroupId, through: SnapshotMeta): Promise<void>;
  /**
   * Lets go of the group's entries for good. That it was here is remembered, so that whoever finds it in an older state
   * of his own does not begin it anew; and with it the group's term and vote, and where its log ended. Resolves when that
   * is durable. Absent: with this log no group can be removed.
   */
  remove?(group: GroupId): Promise<void>;
  /**
   * A group that was removed may be written again: it begins without entries, and with what was remembered of it. Resolves
   * with that when it is durable. One that was not removed is left as it is.
   */
  readmit?(group: GroupId): Promise<RecoveredGroup>;
  /** Nothing of a group that was removed is remembered any more. Resolves when that is durable. */
  forget?(group: GroupId): Promise<void>;
  /** Cheap: may be asked for at every heartbeat. */
  stats(): LogStats;
  /** Groups whose entries keep the oldest segment alive: compacting them frees it. Looks at every record's place. */
  pinning(): readonly GroupId[];
  /** Called once, when the log fails for good: the member must stop. */
  onFailure(listener: (error: Error) => void): void;
  /**
   * Writes what is pending, marks the log as wholly synced, and releases the directory. A log that has failed, or fails
   * now, rejects, and has released the directory too.
   */
  close(): Promise<void>;
}
