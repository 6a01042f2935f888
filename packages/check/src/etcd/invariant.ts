import { limits } from '../limits.ts';
import { verdictOf, type Verdict, type Violation } from '../violation.ts';
import { describeCall } from './describe.ts';
import { inRange, isEffective, type EtcdCall, type KeyValue, type RevisionEvents } from './requests.ts';
import { latestRanges, type LatestRange } from './latest-ranges.ts';

/** What every state of some keys must be like, whoever has written them, and however many at once. */
export interface Invariant {
  /** Names the rule: `bank/total`. */
  readonly name: string;
  readonly ranges: readonly { readonly key: string; readonly rangeEnd: string }[];
  /** What is wrong with the keys that are in the ranges, in words; null: nothing. */
  broken(keys: ReadonlyMap<string, KeyValue>): string | null;
}

export interface InvariantReport {
  readonly verdict: Verdict;
  /** Answers that showed all of the ranges at once. */
  readonly answers: number;
}

/**
 * Whether an invariant held in every answer that shows all its ranges at one moment, and after every revision of
 * `revisions` (what was written, as {@link checkRevisions} or a watch tells it). It knows nothing of any order: what it
 * finds needs no further reason.
 *
 * @example
 * const { verdict } = checkInvariant(history.calls, totalIs(100), report.revisions);
 */
export function checkInvariant(
  calls: readonly EtcdCall[],
  invariant: Invariant,
  revisions: readonly RevisionEvents[] = [],
): InvariantReport {
  const violations: Violation[] = [];
  let answers = 0;
  const found = (what: string, ids: readonly number[]): void => {
    if (violations.length >= limits.violations) return;
    violations.push({ rule: invariant.name, message: what, calls: ids });
  };
  for (const call of calls) {
    const keys = whatIsShown(call, invariant);
    if (keys === null) continue;
    answers += 1;
    const wrong = invariant.broken(keys);
    if (wrong !== null) found(`${describeCall(call)} shows that ${wrong}`, [call.id]);
  }
  for (const { revision, keys } of states(invariant, revisions)) {
    const wrong = invariant.broken(keys);
    if (wrong !== null) found(`after revision ${revision} ${wrong}`, []);
  }
  return { verdict: verdictOf(violations), answers };
}

/** All keys of the invariant as one answer shows them; null: it does not show them all. */
function whatIsShown({ operation, outcome }: EtcdCall, { ranges }: Invariant): Map<string, KeyValue> | null {
  if (outcome.type !== 'returned' || operation.type === 'compact') return null;
  const { result } = outcome;
  // Within a transaction that writes, a range shows what is half done.
  if (result.type === 'error' || result.type === 'compact' || isEffective(result)) return null;
  const shown = latestRanges(operation, result);
  const keys = new Map<string, KeyValue>();
  for (const wanted of ranges) {
    const found = shown.find(({ request }) => covers(request, wanted));
    if (found === undefined) return null;
    for (const kv of found.result.kvs) if (inRange(kv.key, wanted.key, wanted.rangeEnd)) keys.set(kv.key, kv);
  }
  return keys;
}

function* states(
  { ranges }: Invariant,
  revisions: readonly RevisionEvents[],
): Generator<{ readonly revision: number; readonly keys: ReadonlyMap<string, KeyValue> }> {
  const keys = new Map<string, KeyValue>();
  for (const { revision, events } of revisions) {
    let hasChanged = false;
    for (const event of events) {
      const key = event.type === 'put' ? event.kv.key : event.key;
      if (!ranges.some((range) => inRange(key, range.key, range.rangeEnd))) continue;
      hasChanged = true;
      if (event.type === 'put') keys.set(key, event.kv);
      else keys.delete(key);
    }
    if (hasChanged) yield { revision, keys };
  }
}

type Bounds = Invariant['ranges'][number];

function covers({ key, rangeEnd }: LatestRange['request'], wanted: Bounds): boolean {
  if (rangeEnd === '' || wanted.rangeEnd === '') return inRange(wanted.key, key, rangeEnd);
  if (key > wanted.key) return false;
  return rangeEnd === '\0' || (wanted.rangeEnd !== '\0' && rangeEnd >= wanted.rangeEnd);
}
