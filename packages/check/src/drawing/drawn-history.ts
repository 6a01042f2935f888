import { endOf, type Call } from '../history.ts';
import type { LinearizabilityFailure } from '../linearizability.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model.ts';
import type { Violation } from '../violation.ts';

/** A call as it is drawn: a bar from when it was made until it was over. */
export interface DrawnCall {
  readonly id: number;
  readonly client: number;
  readonly calledAt: number;
  /** Infinity: nobody knows. */
  readonly endsAt: number;
  readonly label: string;
  readonly kind: 'in-order' | 'misfit' | 'aside';
  /** Where in the order it is, from 1; null for what has no place in it. */
  readonly place: number | null;
}

/** One finding with the calls that show it. */
export interface DrawnFinding {
  readonly title: string;
  readonly text: string;
  /** Those in order first, in their order, then the one without a place, then what was open beside them. */
  readonly calls: readonly DrawnCall[];
  /** Calls that are in order before the first one drawn. */
  readonly before: number;
  /** What the calls in order lead to. */
  readonly state: string | null;
}

/** The longest linearizable prefix of a part, the call that has no place after it, and what is open at that time. */
export function drawnPrefix<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  calls: readonly Call<Operation, Result>[],
  failure: LinearizabilityFailure<State>,
): DrawnFinding {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const draw = (call: Call<Operation, Result>, kind: DrawnCall['kind'], place: number | null): DrawnCall => ({
    id: call.id,
    client: call.client,
    calledAt: call.calledAt,
    endsAt: endOf(call),
    label: labelOf(model, call),
    kind,
    place,
  });
  const before = Math.max(0, failure.prefix.length - limits.drawnPrefixCalls);
  const drawn: DrawnCall[] = [];
  for (const [at, id] of failure.prefix.slice(before).entries()) {
    const call = byId.get(id);
    if (call !== undefined) drawn.push(draw(call, 'in-order', before + at + 1));
  }
  const misfit = byId.get(failure.misfit);
  if (misfit !== undefined) {
    drawn.push(draw(misfit, 'misfit', null));
    const placed = new Set(failure.prefix).add(misfit.id);
    const open = calls.filter(
      (call) =>
        !placed.has(call.id) &&
        call.outcome.type !== 'failed' &&
        model.partition(call.operation) === failure.partition &&
        call.calledAt <= endOf(misfit),
    );
    for (const call of open.slice(0, limits.drawnPrefixCalls)) drawn.push(draw(call, 'aside', null));
  }
  return {
    title: `${model.name}, part "${failure.partition}"`,
    text:
      `${failure.prefix.length} calls can be put in order; call ${failure.misfit}, which was over before any other ` +
      'that is left, has no place after them',
    calls: drawn,
    before,
    state: model.describeState(failure.state),
  };
}

/** What a violation names, in the order in which it names it. */
export function drawnViolation<Operation, Result>(
  violation: Violation,
  calls: readonly Call<Operation, Result>[],
  describe: (call: Call<Operation, Result>) => string,
): DrawnFinding {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const drawn: DrawnCall[] = [];
  for (const id of violation.calls.slice(0, limits.drawnPrefixCalls)) {
    const call = byId.get(id);
    if (call === undefined) continue;
    const { client, calledAt } = call;
    const label = describe(call);
    drawn.push({ id, client, calledAt, endsAt: endOf(call), label, kind: 'misfit', place: drawn.length + 1 });
  }
  return { title: violation.rule, text: violation.message, calls: drawn, before: 0, state: null };
}

function labelOf<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  { operation, outcome }: Call<Operation, Result>,
): string {
  return model.describe(operation, outcome.type === 'returned' ? outcome.result : null);
}
