import type { Event } from '@flotilla/wire';
import type { KeySpan } from '../shard/key-span.ts';

/** One event, made for its watchers when the first of them wants it. */
export interface PastEvent {
  readonly key: Uint8Array;
  readonly revision: number;
  readonly deleted: boolean;
  get(prevKv: boolean): Event;
}

/** A span whose events from a revision on are wanted. */
export interface HistoryPart {
  readonly span: KeySpan;
  readonly from: number;
}

export interface HistoryRequest {
  readonly parts: readonly HistoryPart[];
  /** Up to this revision, and including it. */
  readonly through: number;
  /** Whether anybody wants previous versions. */
  readonly previous: boolean;
  /**
   * For watchers that had everything until now: a compaction that was faster than this read takes nothing from them, as
   * long as it has not removed it.
   */
  readonly live: boolean;
  readonly maxEvents: number;
  readonly maxBytes: number;
}

/** Whole revisions, in their order, and within each the order of its operations. */
export interface HistoryPage {
  /** At least those that were asked for: of each key from the least revision that was asked for with its shard. */
  readonly events: readonly PastEvent[];
  /** That is all of them up to here, but for `missing`. */
  readonly through: number;
  /** Nobody could be asked about these in time. */
  readonly missing: readonly KeySpan[];
}

/** A history that lies elsewhere: over many shards. */
export interface SharedHistory {
  /** The newest revision that is known here to be. */
  readonly revision: number;
  readonly compactRevision: number;
  /** As new as every write that was acknowledged before the call, unless that cannot be found out. */
  newest(): Promise<number>;
  /** Answers in any case, if only what is missing. */
  read(request: HistoryRequest): Promise<HistoryPage>;
}
