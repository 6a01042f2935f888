import { present } from '../assert.ts';
import { endOf } from '../history.ts';
import type { Violation } from '../violation.ts';
import { describeCall } from './describe.ts';
import { isSerializable } from './etcd-history.ts';
import { isEffective, type EtcdCall } from './requests.ts';

/** The newest revision that was known for sure when a call was made, and the answer that showed it: null for the baseline. */
export interface Floor {
  readonly revision: number;
  readonly shownBy: EtcdCall | null;
}

/**
 * For each call, by id, the newest revision in an answer that came strictly before the call was made, or the one that
 * the history began with. What the call
 * does happens at this revision or later, and what it writes gets a later one.
 */
export function floorsOf(calls: readonly EtcdCall[], baselineRevision: number): Map<number, Floor> {
  const byCall = [...calls].sort((a, b) => a.calledAt - b.calledAt);
  const byReturn = calls.filter((call) => revisionOf(call) !== null).sort((a, b) => endOf(a) - endOf(b));
  const floors = new Map<number, Floor>();
  let floor: Floor = { revision: baselineRevision, shownBy: null };
  let next = 0;
  for (const call of byCall) {
    for (; next < byReturn.length; next += 1) {
      const returned = present(byReturn[next], 'returned call');
      if (endOf(returned) >= call.calledAt) break;
      const revision = revisionOf(returned) ?? 0;
      if (revision > floor.revision) floor = { revision, shownBy: returned };
    }
    floors.set(call.id, floor);
  }
  return floors;
}

/** Answers whose revision is older than one that was known before they were asked for. */
export function realTimeViolations(
  calls: readonly EtcdCall[],
  floors: ReadonlyMap<number, Floor>,
): Violation[] {
  const violations: Violation[] = [];
  for (const call of calls) {
    const { outcome } = call;
    if (outcome.type !== 'returned' || outcome.result.type === 'error') continue;
    if (isSerializable(call.operation)) continue;
    const floor = present(floors.get(call.id), 'floor');
    const least = isEffective(outcome.result) ? floor.revision + 1 : floor.revision;
    if (outcome.result.revision >= least) continue;
    const { shownBy } = floor;
    const before =
      shownBy === null
        ? `the history began at revision ${floor.revision}`
        : `${describeCall(shownBy)} had been answered`;
    violations.push({
      rule: 'revisions/real-time',
      message: `${describeCall(call)} came after ${before}`,
      calls: [...(shownBy === null ? [] : [shownBy.id]), call.id],
    });
  }
  return violations;
}

function revisionOf(call: EtcdCall): number | null {
  const { outcome } = call;
  return outcome.type === 'returned' && outcome.result.type !== 'error' ? outcome.result.revision : null;
}
