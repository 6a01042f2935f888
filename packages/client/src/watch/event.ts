import { EventType } from '@flotilla/wire';
import type { Event, KeyValue } from '@flotilla/wire';
import { Entry } from '../entry.ts';

/** One change of one key. */
export interface WatchEvent {
  readonly type: 'put' | 'delete';
  /** Of a deletion: key and revision alone. */
  readonly entry: Entry;
  /** What was there before, when the watch asks for it; null: nothing, or it was compacted. */
  readonly previous: Entry | null;
  /** The key was not there before. */
  readonly isCreate: boolean;
}

/** All changes of one revision in the span of a watch, or what is said of revisions without any. */
export interface WatchBatch {
  readonly revision: number;
  /** Empty in a progress notice, and where history is {@link lost}. */
  readonly events: readonly WatchEvent[];
  /** History that was compacted before it could be delivered (`compacted: 'skip'`); null everywhere else. */
  readonly lost: { readonly from: number; readonly to: number } | null;
}

export function toWatchEvent({ type, prevKv }: Event, kv: KeyValue): WatchEvent {
  const isPut = type === EventType.PUT;
  return {
    type: isPut ? 'put' : 'delete',
    entry: new Entry(kv),
    previous: prevKv === null ? null : new Entry(prevKv),
    isCreate: isPut && kv.createRevision === kv.modRevision,
  };
}
