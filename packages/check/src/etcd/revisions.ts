import { limits } from '../limits.ts';
import { verdictOf, type Verdict, type Violation } from '../violation.ts';
import { compactionViolations } from './compactions.ts';
import { evidenceOf, namesOf, sortCalls } from './etcd-history.ts';
import { floorsOf, realTimeViolations } from './real-time.ts';
import { PersistedReplay } from './persisted-replay.ts';
import type { ReplayInput } from './replay.ts';
import { SearchingReplay } from './searching-replay.ts';
import type { EtcdCall, KeyValue, RevisionEvents } from './requests.ts';

export interface RevisionCheckOptions {
  /** The store before the first call. Default: an empty etcd, which is at revision 1. */
  readonly baseline?: { readonly revision: number; readonly kvs: readonly KeyValue[] };
  /**
   * Everything that was written after the baseline, in order: the events of a watch from revision 1, or the
   * committed log. When it is given it is the truth: every acknowledged write must be in it, at its revision, and each
   * of its revisions must be explained by one request. When it is not, lost writes are searched for the gaps.
   */
  readonly persisted?: readonly RevisionEvents[];
  readonly maxGapSteps?: number;
  readonly maxViolations?: number;
}

export interface RevisionReport {
  readonly verdict: Verdict;
  /** What was written at each revision after the baseline, as far as the replay came. Input for `checkWatch`. */
  readonly revisions: readonly RevisionEvents[];
  /** The revision at which each call of unknown outcome took effect, by call id. Others had none. */
  readonly explained: ReadonlyMap<number, number>;
}

/**
 * Whether a history of etcd requests is strictly serializable, in O(n log n): the header of every answer carries a
 * revision, so the writes are already in order and nothing has to be searched for.
 *
 * 1. Revisions are unique and dense: each revision was made by one effective request.
 * 2. Executing the writes in order gives every answer: previous values, counts, branches, kvs with their metadata.
 * 3. Every read agrees with the state at its revision (of the header, or the one that it asked for).
 * 4. When A was answered before B was made, A's revision is not above B's, and below it when B wrote. Serializable
 *    reads are exempt: they may be old, but never wrong.
 * 5. Writes of unknown outcome explain the revisions that no answer claims, each at most one, after their call.
 *
 * These rules are not only necessary: ordering everything by revision, reads behind their write, is a linearization.
 *
 * @example
 * const { verdict, revisions } = checkRevisions(history.calls, { persisted: eventsOfWatchFromRevision1 });
 * assertOk(verdict);
 */
export function checkRevisions(
  calls: readonly EtcdCall[],
  options: RevisionCheckOptions = {},
): RevisionReport {
  const baseline = options.baseline ?? { revision: 1, kvs: [] };
  const floors = floorsOf(calls, baseline.revision);
  const sorted = sortCalls(calls);
  const input: ReplayInput = {
    baseline,
    sorted,
    floors,
    evidence: evidenceOf(calls),
    names: namesOf(calls, options.persisted ?? []),
    failed: calls.filter((call) => call.outcome.type === 'failed'),
    maxSteps: options.maxGapSteps ?? limits.gapSteps,
    maxViolations: options.maxViolations ?? limits.violations,
  };
  const replayed =
    options.persisted === undefined
      ? new SearchingReplay(input).run()
      : new PersistedReplay(input).run(options.persisted);
  const violations: Violation[] = [
    ...sorted.violations,
    ...realTimeViolations(calls, floors),
    ...compactionViolations(calls, sorted.compactions, floors),
    ...replayed.violations,
  ].slice(0, input.maxViolations);
  const verdict: Verdict =
    violations.length === 0 && replayed.exhausted !== null
      ? { outcome: 'unknown', reason: replayed.exhausted }
      : verdictOf(violations);
  return { verdict, revisions: replayed.revisions, explained: replayed.explained };
}
