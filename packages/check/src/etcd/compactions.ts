import { endOf } from '../history.ts';
import type { Violation } from '../violation.ts';
import { describeCall } from './describe.ts';
import { isSerializable, type Compaction } from './etcd-history.ts';
import type { Floor } from './real-time.ts';
import type { EtcdCall } from './requests.ts';

/**
 * Reads and compactions at a revision either find it or are told why not, and the reason must be true: compacted only
 * if a compaction beyond it can have happened, future only if nobody had seen it, and found only if no compaction
 * beyond it was acknowledged before.
 */
export function compactionViolations(
  calls: readonly EtcdCall[],
  compactions: readonly Compaction[],
  floors: ReadonlyMap<number, Floor>,
): Violation[] {
  const asked = new Latest(compactions.map(({ call, request }) => [call.calledAt, request.revision]));
  const done = new Latest(
    compactions
      .filter(({ call }) => call.outcome.type === 'returned' && call.outcome.result.type === 'compact')
      .map(({ call, request }) => [endOf(call), request.revision]),
  );
  const violations: Violation[] = [];
  for (const call of calls) {
    const { operation, outcome } = call;
    const atRevision = operation.type === 'compact' || (operation.type === 'range' && operation.revision > 0);
    if (!atRevision || outcome.type !== 'returned') continue;
    const broken = brokenRule(call, operation.revision, asked, done, floors.get(call.id)?.revision ?? 0);
    if (broken === null) continue;
    violations.push({ rule: broken, message: describeCall(call), calls: [call.id] });
  }
  return violations;
}

function brokenRule(
  call: EtcdCall,
  revision: number,
  asked: Latest,
  done: Latest,
  floor: number,
): string | null {
  if (call.outcome.type !== 'returned') return null;
  const { result } = call.outcome;
  // A compaction at the compacted revision itself is refused, a read of it is served.
  const slack = call.operation.type === 'compact' ? 0 : 1;
  if (result.type !== 'error') {
    // A lagging member may not have compacted yet when it serves from its own state.
    if (isSerializable(call.operation)) return null;
    return done.before(call.calledAt) >= revision + slack ? 'revisions/read-of-compacted' : null;
  }
  switch (result.error) {
    case 'compacted':
      return asked.upTo(endOf(call)) >= revision + slack ? null : 'revisions/never-compacted';
    case 'future-revision':
      return isSerializable(call.operation) || revision > floor ? null : 'revisions/not-future';
  }
}

/** The highest value among those whose time has come. */
class Latest {
  readonly #times: number[];
  readonly #highest: number[] = [];

  constructor(points: readonly (readonly [time: number, value: number])[]) {
    const sorted = [...points].sort((a, b) => a[0] - b[0]);
    this.#times = sorted.map(([time]) => time);
    let highest = 0;
    for (const [, value] of sorted) this.#highest.push((highest = Math.max(highest, value)));
  }

  /** Strictly before `time`. */
  before(time: number): number {
    return this.#at((candidate) => candidate < time);
  }

  upTo(time: number): number {
    return this.#at((candidate) => candidate <= time);
  }

  #at(counts: (time: number) => boolean): number {
    let low = 0;
    let high = this.#times.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (counts(this.#times[middle] ?? Infinity)) low = middle + 1;
      else high = middle;
    }
    return this.#highest[low - 1] ?? 0;
  }
}
