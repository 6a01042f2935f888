import type { DrawnCall } from './drawn-history.ts';

/** Where on the drawing a bar begins and ends, and where in it the call takes effect. */
export interface Bar {
  readonly from: number;
  readonly to: number;
  /** Null for what has no place in the order. */
  readonly effect: number | null;
}

/**
 * Times as columns, from 0: each time at which something was called or over is one column, however long after the
 * one before it was, because only their order counts. Calls without an end reach one column past the last.
 *
 * Calls in order take effect as early as the order allows, each in its own column or the one of the call before it.
 */
export class TimeAxis {
  readonly columns: number;
  readonly bars: ReadonlyMap<number, Bar>;

  constructor(calls: readonly DrawnCall[]) {
    const times = new Set<number>();
    for (const { calledAt, endsAt } of calls) {
      times.add(calledAt);
      if (endsAt !== Infinity) times.add(endsAt);
    }
    const columnOf = new Map([...times].sort((a, b) => a - b).map((time, column) => [time, column]));
    this.columns = columnOf.size + (calls.some(({ endsAt }) => endsAt === Infinity) ? 1 : 0);
    const bars = new Map<number, Bar>();
    let effect = 0;
    for (const { id, calledAt, endsAt, place } of calls) {
      const from = columnOf.get(calledAt) ?? 0;
      const to = columnOf.get(endsAt) ?? columnOf.size;
      effect = place === null ? effect : Math.max(effect, from);
      bars.set(id, { from, to, effect: place === null ? null : Math.min(effect, to) });
    }
    this.bars = bars;
  }
}
