import { endOf, type Call } from './history.ts';
import { limits } from './limits.ts';
import { LinearizationSearch, type SearchBudget } from './linearization-search.ts';
import type { Model } from './model.ts';
import type { Verdict, Violation } from './violation.ts';

export interface LinearizabilityOptions {
  readonly maxSteps?: number;
  readonly maxConfigurations?: number;
}

/** Why the history of one part cannot be put in order. */
export interface LinearizabilityFailure<State> {
  readonly partition: string;
  /** The longest prefix that can be put in order: ids of calls. */
  readonly prefix: readonly number[];
  /** The state after the prefix. */
  readonly state: State;
  /** The call that must come next, because it is over, and that has no place. */
  readonly misfit: number;
}

export interface LinearizabilityReport<State> {
  readonly verdict: Verdict;
  /** One for each part that is illegal. */
  readonly failures: readonly LinearizabilityFailure<State>[];
  /** Model steps taken. */
  readonly steps: number;
}

/**
 * Whether the calls of each part can be put in one order that respects real time and that the model agrees with
 * (Herlihy and Wing 1990; the search is Wing and Gong's with Lowe's memory of configurations, as in Porcupine).
 *
 * A call of unknown outcome may take its place anywhere after it was made, or nowhere. Intervals are closed: a call
 * that was made at the very time at which another returned is concurrent with it.
 *
 * @example
 * const { verdict, failures } = checkLinearizability(registerModel, history.calls);
 */
export function checkLinearizability<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  calls: readonly Call<Operation, Result>[],
  options: LinearizabilityOptions = {},
): LinearizabilityReport<State> {
  const budget: SearchBudget = {
    steps: options.maxSteps ?? limits.linearizabilitySteps,
    configurations: options.maxConfigurations ?? limits.linearizabilityConfigurations,
  };
  const stepsAtStart = budget.steps;
  const failures: LinearizabilityFailure<State>[] = [];
  const violations: Violation[] = [];
  const exhausted: string[] = [];
  for (const [partition, part] of partitions(model, calls)) {
    const search = new LinearizationSearch(model, part, budget);
    const result = search.run(null);
    if (result === 'exhausted') exhausted.push(partition);
    if (result !== 'illegal') continue;
    const failure = explain(model, partition, part, search);
    failures.push(failure);
    violations.push(describeFailure(model, failure, calls));
  }
  const steps = stepsAtStart - budget.steps;
  return { verdict: verdictFrom(model.name, violations, exhausted, steps), failures, steps };
}

/** Parts in the order of their first call, without the calls that cannot matter. */
function partitions<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  calls: readonly Call<Operation, Result>[],
): Map<string, Call<Operation, Result>[]> {
  const parts = new Map<string, Call<Operation, Result>[]>();
  for (const call of calls) {
    if (call.outcome.type === 'failed') continue;
    if (call.outcome.type === 'unknown' && model.readOnly(call.operation)) continue;
    const partition = model.partition(call.operation);
    const part = parts.get(partition);
    if (part === undefined) parts.set(partition, [call]);
    else part.push(call);
  }
  return parts;
}

function explain<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  partition: string,
  part: readonly Call<Operation, Result>[],
  failed: LinearizationSearch<State, Operation, Result>,
): LinearizabilityFailure<State> {
  // The search is deterministic, so a second one with the same budget meets the deepest dead end again.
  const budget: SearchBudget = { steps: Infinity, configurations: Infinity };
  const again = new LinearizationSearch(model, part, budget);
  again.run(failed.deepest);
  return { partition, prefix: again.order(), state: again.state, misfit: again.blockedBy() };
}

function describeFailure<State, Operation, Result>(
  model: Model<State, Operation, Result>,
  failure: LinearizabilityFailure<State>,
  calls: readonly Call<Operation, Result>[],
): Violation {
  const byId = new Map(calls.map((call) => [call.id, call]));
  const show = (id: number): string => {
    const call = byId.get(id);
    if (call === undefined) return `call ${id}`;
    const result = call.outcome.type === 'returned' ? call.outcome.result : null;
    const text = model.describe(call.operation, result);
    return `call ${id} by client ${call.client} [${call.calledAt}, ${endOf(call)}] ${text}`;
  };
  const last = failure.prefix.slice(-3).map(show);
  const before = failure.prefix.length > last.length ? `${failure.prefix.length - last.length} calls, ` : '';
  return {
    rule: `linearizability/${model.name}`,
    message:
      `${show(failure.misfit)} has no place in part "${failure.partition}": after ${before}` +
      `${last.join(', ') || 'nothing'} the state is ${model.describeState(failure.state)}`,
    calls: [...failure.prefix.slice(-3), failure.misfit],
  };
}

function verdictFrom(
  name: string,
  violations: readonly Violation[],
  exhausted: readonly string[],
  steps: number,
): Verdict {
  if (violations.length > 0) return { outcome: 'illegal', violations };
  if (exhausted.length === 0) return { outcome: 'ok' };
  const parts = exhausted.map((part) => `"${part}"`).join(', ');
  return { outcome: 'unknown', reason: `${name}: no answer for ${parts} after ${steps} steps` };
}
