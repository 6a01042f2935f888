import type { Watcher } from './watcher.ts';
import type { Watchers } from './watchers.ts';

export interface BehindChoice {
  readonly compactRevision: number;
  readonly max: number;
  readonly when: (watcher: Watcher) => boolean;
}

/** Those that can be sent to, from the head of the line. Those that history has left behind are cancelled. */
export function chooseBehind({ behind }: Watchers, { compactRevision, max, when }: BehindChoice): Watcher[] {
  const chosen: Watcher[] = [];
  for (const watcher of behind) {
    if (!watcher.stream.accepts || watcher.reading) continue;
    if (watcher.nextRevision < compactRevision) {
      watcher.stream.sendCompacted(watcher, compactRevision);
      continue;
    }
    if (!when(watcher)) continue;
    chosen.push(watcher);
    if (chosen.length >= max) break;
  }
  return chosen;
}
