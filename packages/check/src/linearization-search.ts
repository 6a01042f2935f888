import { present } from './assert.ts';
import { endOf, type Call } from './history.ts';
import type { Model } from './model.ts';
import { entry, OrderedSet } from './ordered-set.ts';

/** Counted down by the searches that share it. */
export interface SearchBudget {
  steps: number;
  configurations: number;
}

export type SearchResult = 'legal' | 'illegal' | 'exhausted' | 'stopped';

/**
 * The search for an order of one part's calls: Wing and Gong's, over a doubly linked list of call and return events,
 * with Lowe's memory of configurations (the set of calls placed so far, and the state they led to).
 *
 * Calls of unknown outcome have no return event and need no place. They are kept apart, for two reasons. They are
 * tried only where the known calls fail, so that the search does not place lost writes just because it may. And a
 * configuration is pruned when one with the same known calls, the same state and *fewer* lost writes used was seen:
 * whatever comes next can be had from that one too. Without this, n lost writes cost 2^n steps.
 */
export class LinearizationSearch<State, Operation, Result> {
  readonly #model: Model<State, Operation, Result>;
  readonly #budget: SearchBudget;
  readonly #known: readonly Call<Operation, Result>[];
  readonly #lost: readonly Call<Operation, Result>[];
  readonly #events: EventList;
  /** For each lost call: how many known returns came strictly before it. */
  readonly #lostAfterReturns: Int32Array;
  readonly #placed: OrderedSet;
  readonly #lostUsed: Uint8Array;
  #lostPlaced: readonly number[] = [];
  readonly #seen = new Map<number, Configuration<State>>();
  readonly #stack: Placement<State>[] = [];
  #knownPlaced = 0;
  /** The most known calls that were in order at a dead end. */
  deepest = 0;
  state: State;

  constructor(
    model: Model<State, Operation, Result>,
    calls: readonly Call<Operation, Result>[],
    budget: SearchBudget,
  ) {
    this.#model = model;
    this.#budget = budget;
    const byCall = [...calls].sort((a, b) => a.calledAt - b.calledAt || a.id - b.id);
    this.#known = byCall.filter((call) => call.outcome.type !== 'unknown');
    this.#lost = byCall.filter((call) => call.outcome.type === 'unknown');
    this.#events = new EventList(this.#known);
    this.#lostAfterReturns = returnsBefore(this.#known, this.#lost);
    this.#placed = new OrderedSet(this.#known.length);
    this.#lostUsed = new Uint8Array(this.#lost.length);
    this.state = model.initial;
  }

  /** Searches until there is an answer, or until a dead end with `stopAt` known calls placed. */
  run(stopAt: number | null): SearchResult {
    let event = this.#events.first();
    let lost = 0;
    while (this.#knownPlaced < this.#known.length) {
      if (this.#events.isCall(event)) {
        const placed = this.#tryKnown(event);
        if (placed === 'exhausted') return placed;
        if (placed === 'placed') lost = 0;
        event = placed === 'placed' ? this.#events.first() : this.#events.next(event);
        continue;
      }
      // A return that is met here belongs to a call that is over and not placed: only lost writes can come before it.
      const outcome = this.#tryLost(lost, event);
      if (outcome === 'exhausted') return outcome;
      if (outcome === 'placed') {
        lost = 0;
        event = this.#events.first();
        continue;
      }
      this.deepest = Math.max(this.deepest, this.#knownPlaced);
      if (stopAt === this.#knownPlaced) return 'stopped';
      const undone = this.#stack.pop();
      if (undone === undefined) return 'illegal';
      this.#undo(undone);
      // Known calls were all tried before a lost one was placed: go on with the next lost one.
      lost = undone.event === null ? undone.call + 1 : 0;
      event = undone.event === null ? this.#events.firstReturn() : this.#events.next(undone.event);
    }
    return 'legal';
  }

  /** Ids of the calls placed so far, in their order. */
  order(): number[] {
    return this.#stack.map(
      ({ call, event }) => present(event === null ? this.#lost[call] : this.#known[call], 'call').id,
    );
  }

  /** The id of the call that is over and has no place. */
  blockedBy(): number {
    return present(this.#known[this.#events.callOf(this.#events.firstReturn())], 'call').id;
  }

  #tryKnown(event: number): 'placed' | 'refused' | 'exhausted' {
    const call = this.#events.callOf(event);
    const { operation, outcome } = present(this.#known[call], 'call');
    if (outcome.type !== 'returned') return 'refused';
    if (this.#budget.steps-- <= 0) return 'exhausted';
    const next = this.#model.step(this.state, operation, outcome.result);
    if (next === undefined || this.#hidesLost(operation, outcome.result, next)) return 'refused';
    this.#placed.add(call);
    const fresh = this.#remember(next, this.#lostPlaced);
    if (fresh !== 'fresh') {
      this.#placed.remove(call);
      return fresh === 'seen' ? 'refused' : 'exhausted';
    }
    this.#stack.push({ call, event, state: this.state, lostPlaced: this.#lostPlaced });
    this.state = next;
    this.#knownPlaced += 1;
    this.#events.lift(event);
    return 'placed';
  }

  #tryLost(from: number, blocking: number): 'placed' | 'refused' | 'exhausted' {
    const returns = this.#events.returnsUpTo(blocking);
    for (let call = from; call < this.#lost.length; call += 1) {
      // Sorted by call time: those behind were made after the blocking return.
      if (entry(this.#lostAfterReturns, call) >= returns) break;
      if (this.#lostUsed[call] === 1) continue;
      if (this.#budget.steps-- <= 0) return 'exhausted';
      const { operation } = present(this.#lost[call], 'lost call');
      const next = this.#model.step(this.state, operation, null);
      if (next === undefined || this.#hidesLost(operation, null, next)) continue;
      const lostPlaced = insertSorted(this.#lostPlaced, call);
      const fresh = this.#remember(next, lostPlaced);
      if (fresh === 'exhausted') return fresh;
      if (fresh === 'seen') continue;
      this.#stack.push({ call, event: null, state: this.state, lostPlaced: this.#lostPlaced });
      this.state = next;
      this.#lostUsed[call] = 1;
      this.#lostPlaced = lostPlaced;
      return 'placed';
    }
    return 'refused';
  }

  /**
   * Whether the last call in order is a lost one that nobody noticed: this operation leads to the same state without
   * it. Then the order without it is as good. Keeps chains of lost writes, each overwriting the last, out.
   */
  #hidesLost(operation: Operation, result: Result | null, next: State): boolean {
    const last = this.#stack.at(-1);
    if (last === undefined || last.event !== null) return false;
    const without = this.#model.step(last.state, operation, result);
    return without !== undefined && this.#model.equal(without, next);
  }

  #undo({ call, event, state, lostPlaced }: Placement<State>): void {
    this.state = state;
    this.#lostPlaced = lostPlaced;
    if (event === null) {
      this.#lostUsed[call] = 0;
      return;
    }
    this.#placed.remove(call);
    this.#knownPlaced -= 1;
    this.#events.unlift(event);
  }

  #remember(state: State, lostPlaced: readonly number[]): 'fresh' | 'seen' | 'exhausted' {
    const hash = this.#placed.hash ^ this.#model.hash(state);
    const first = this.#seen.get(hash);
    for (let seen = first; seen !== undefined; seen = seen.next) {
      if (
        this.#placed.equalsSnapshot(seen.placed) &&
        this.#model.equal(seen.state, state) &&
        isSubset(seen.lostPlaced, lostPlaced)
      ) {
        return 'seen';
      }
    }
    if (this.#budget.configurations-- <= 0) return 'exhausted';
    this.#seen.set(hash, { placed: this.#placed.snapshot(), state, lostPlaced, next: first });
    return 'fresh';
  }
}

interface Placement<State> {
  readonly call: number;
  /** The call's event in the list, or null for a lost call. */
  readonly event: number | null;
  /** Before the call was placed. */
  readonly state: State;
  readonly lostPlaced: readonly number[];
}

interface Configuration<State> {
  readonly placed: Int32Array;
  readonly lostPlaced: readonly number[];
  readonly state: State;
  readonly next: Configuration<State> | undefined;
}

/**
 * Call and return events in order of time, as a doubly linked list: placing a call lifts its two events out, undoing
 * it puts them back. At equal times calls come before returns, because intervals are closed.
 */
class EventList {
  readonly #call: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** Of a call event: its return event. Of a return event: -1. */
  readonly #match: Int32Array;
  /** Of a return event: its number among all returns, from 1. */
  readonly #returnNumber: Int32Array;

  constructor(calls: readonly Call<unknown, unknown>[]) {
    const points = calls.flatMap((call, index) => [
      { index, at: call.calledAt, isReturn: 0 },
      { index, at: endOf(call), isReturn: 1 },
    ]);
    points.sort((a, b) => a.at - b.at || a.isReturn - b.isReturn || a.index - b.index);
    // Event 0 is the head; the points follow from 1; the last one links to 0.
    const size = points.length + 1;
    this.#call = new Int32Array(size).fill(-1);
    this.#next = Int32Array.from({ length: size }, (_, event) => (event + 1) % size);
    this.#previous = Int32Array.from({ length: size }, (_, event) => (event + size - 1) % size);
    this.#match = new Int32Array(size).fill(-1);
    this.#returnNumber = new Int32Array(size);
    const callEvent = new Int32Array(calls.length);
    let returns = 0;
    for (const [position, { index, isReturn }] of points.entries()) {
      const event = position + 1;
      this.#call[event] = index;
      if (isReturn === 0) callEvent[index] = event;
      else this.#match[entry(callEvent, index)] = event;
      if (isReturn === 1) this.#returnNumber[event] = returns += 1;
    }
  }

  first(): number {
    return entry(this.#next, 0);
  }

  firstReturn(): number {
    let event = entry(this.#next, 0);
    while (this.isCall(event)) event = entry(this.#next, event);
    return event;
  }

  next(event: number): number {
    return entry(this.#next, event);
  }

  isCall(event: number): boolean {
    return this.#match[event] !== -1;
  }

  callOf(event: number): number {
    return entry(this.#call, event);
  }

  returnsUpTo(event: number): number {
    return entry(this.#returnNumber, event);
  }

  lift(event: number): void {
    this.#unlink(event);
    this.#unlink(entry(this.#match, event));
  }

  unlift(event: number): void {
    this.#relink(entry(this.#match, event));
    this.#relink(event);
  }

  #unlink(event: number): void {
    this.#next[entry(this.#previous, event)] = entry(this.#next, event);
    this.#previous[entry(this.#next, event)] = entry(this.#previous, event);
  }

  #relink(event: number): void {
    this.#next[entry(this.#previous, event)] = event;
    this.#previous[entry(this.#next, event)] = event;
  }
}

/** For each of `lost` (sorted by call time): how many of `known` returned strictly before it was made. */
function returnsBefore(
  known: readonly Call<unknown, unknown>[],
  lost: readonly Call<unknown, unknown>[],
): Int32Array {
  const ends = Float64Array.from(known, endOf).sort();
  const counts = new Int32Array(lost.length);
  let count = 0;
  for (const [index, call] of lost.entries()) {
    while (count < ends.length && (ends[count] ?? Infinity) < call.calledAt) count += 1;
    counts[index] = count;
  }
  return counts;
}

function insertSorted(sorted: readonly number[], value: number): readonly number[] {
  const at = sorted.findIndex((element) => element > value);
  return at === -1 ? [...sorted, value] : [...sorted.slice(0, at), value, ...sorted.slice(at)];
}

function isSubset(subset: readonly number[], superset: readonly number[]): boolean {
  if (subset.length > superset.length) return false;
  let position = 0;
  for (const element of subset) {
    while (position < superset.length && (superset[position] ?? Infinity) < element) position += 1;
    if (superset[position] !== element) return false;
  }
  return true;
}
