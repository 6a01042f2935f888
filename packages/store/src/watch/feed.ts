import type { Platform } from '@flotilla/platform';
import type { BatchBounds } from './batch.ts';
import type { Watchers } from './watchers.ts';

export interface FeedBounds extends BatchBounds {
  readonly sliceWatchers: number;
  readonly sliceEvents: number;
}

/** What a feed tells, and how much of it at once. */
export interface FeedParts {
  readonly platform: Platform;
  readonly watchers: Watchers;
  readonly bounds: FeedBounds;
}

/** Where a hub hears of changes: those that are synced as they come, all others from history. */
export interface Feed {
  /** Synced watchers have been told everything up to here. */
  readonly revision: number;
  /** That is known to be; watchers may not have been told yet. */
  readonly newestRevision: number;
  /** At which revision a watch begins that begins now. */
  newest(): number | Promise<number>;
  /** Whether one that has to be told of this revision and all after it is synced with nothing more. */
  isAhead(nextRevision: number): boolean;
  /** Somebody is behind, or a slow client takes events again. */
  wake(): void;
  /** Calls back when everything is told that is known to have happened, and nothing of what comes after. */
  whenTold(act: () => void): void;
  close(): void;
}
