import { checkRevisions } from '@flotilla/check';
import type { EtcdCall, RevisionEvents, Verdict } from '@flotilla/check';
import type { Workload } from './workload.ts';

/**
 * What every judge says of a workload's history: that of revisions, which are dense and in order, and those of the
 * workload. `persisted` is everything that was written, where somebody can tell.
 */
export function judgeTransactions(
  workload: Workload,
  calls: readonly EtcdCall[],
  persisted: readonly RevisionEvents[] | null,
): ReadonlyMap<string, Verdict> {
  const { verdict, revisions } = checkRevisions(calls, persisted === null ? {} : { persisted });
  // What names the anomaly comes first.
  return new Map([...workload.judge({ calls, revisions }), ['revisions', verdict]]);
}
