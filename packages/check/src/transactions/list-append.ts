import type { Call } from '../history.ts';
import { limits } from '../limits.ts';
import { type Verdict, verdictOf } from '../violation.ts';
import { cycleViolations } from './cycles.ts';
import { dependenciesOf } from './dependencies.ts';
import { listWords } from './list-words.ts';
import { observe } from './observations.ts';

/** One step of a transaction. No two appends to a key have the same element, or nothing could be told from a read. */
export type ListOperation =
  | { readonly type: 'append'; readonly key: string; readonly element: number }
  | { readonly type: 'read'; readonly key: string };

/** What a transaction does, in this order. */
export type ListTransaction = readonly ListOperation[];

/** What each operation answered, in the same order: a read the whole list, an append null. */
export type ListResult = readonly (readonly number[] | null)[];

export type ListCall = Call<ListTransaction, ListResult>;

export interface ListAppendOptions {
  /** Edges followed in the search for the shortest cycles. Only histories that are illegal need any. */
  readonly maxSteps?: number;
  /** False: any order of the transactions will do (serializability). Default: one that the clock allows. */
  readonly realTime?: boolean;
}

export interface ListAppendReport {
  readonly verdict: Verdict;
  /** Transactions that surely or, as their elements were read, evidently took effect. */
  readonly transactions: number;
  /** Elements whose place in their list was seen. */
  readonly elements: number;
}

/**
 * Whether transactions that read lists and append to them were strictly serializable: as if each had happened at one
 * moment between its call and its answer.
 *
 * A read of a list shows who wrote it in which order, so nothing has to be guessed (Kingsbury and Alvaro, "Elle", VLDB
 * 2020): the longest read of each key is its order of versions; from it follows who came before whom; the history is
 * legal if and only if that, with real time, has no cycle. An illegal one is told by its shortest cycle, by Adya's
 * names: G0 (writes that wrote over each other), G1c (circular information), G-single (one transaction saw another
 * both done and not done), G2-item (more than one of these); `-realtime` when it needs the clock to be seen. Takes time
 * linear in what was read, as long as there is no violation and few elements stay unread.
 *
 * @example
 * const history = new History<ListTransaction, ListResult>(() => ++event);
 * const id = history.call(client, [{ type: 'read', key: 'x' }, { type: 'append', key: 'y', element: 7 }]);
 * history.returned(id, [[1, 2], null]);
 * assertOk(checkListAppend(history.calls).verdict);
 */
export function checkListAppend(
  calls: readonly ListCall[],
  options: ListAppendOptions = {},
): ListAppendReport {
  const { maxSteps = limits.cycleSteps, realTime = true } = options;
  const observations = observe(calls);
  const { violations, versions } = observations;
  const elements = [...versions.values()].reduce((sum, { order }) => sum + order.length, 0);
  // Reads that contradict each other give no order that anything could follow from.
  if (violations.length > 0) return { verdict: verdictOf(violations), transactions: 0, elements };
  const graph = dependenciesOf(observations);
  return {
    verdict: cycleViolations(graph, listWords(graph), maxSteps, realTime),
    transactions: graph.transactions.length,
    elements,
  };
}
