import type { Call } from '../history.ts';
import { limits } from '../limits.ts';
import { type Verdict, verdictOf } from '../violation.ts';
import { cycleViolations } from './cycles.ts';
import { registerGraphOf } from './register-dependencies.ts';
import { observeRegisters } from './register-observations.ts';
import { registerWords } from './register-words.ts';

/** One step of a transaction. No two writes of a key have the same value: it tells who wrote what was read. */
export type RegisterStep =
  /** `inRange`: among all keys of a range, so finding nothing says something about keys that are not there yet. */
  | { readonly type: 'read'; readonly key: string; readonly inRange?: boolean }
  /** The transaction takes effect only where the key has this version. 0: where there is none. */
  | { readonly type: 'expect'; readonly key: string; readonly version: number; readonly inRange?: boolean }
  | { readonly type: 'write'; readonly key: string; readonly value: string };

/** What a transaction does, in this order. No value is written to a key twice, and none is deleted. */
export type RegisterTransaction = readonly RegisterStep[];

/** What a read found. A version is the revision that wrote the value; 0 and null: nothing was there. */
export interface RegisterRead {
  readonly version: number;
  readonly value: string | null;
}

export interface RegisterAnswer {
  /** The version of all that it wrote. A transaction that wrote nothing has none. */
  readonly version: number | null;
  /** By step: what each read found, and null for the others. */
  readonly reads: readonly (RegisterRead | null)[];
}

export type RegisterCall = Call<RegisterTransaction, RegisterAnswer>;

export interface RegisterOptions {
  /** Dependencies followed in the search for the shortest cycles. Only histories that are illegal need any. */
  readonly maxSteps?: number;
  /** False: any order of the transactions will do (serializability). Default: one that the clock allows. */
  readonly realTime?: boolean;
}

export interface RegisterReport {
  readonly verdict: Verdict;
  /** Transactions that surely or, as their values were read, evidently took effect. */
  readonly transactions: number;
  /** Versions of all keys whose writer is known. */
  readonly versions: number;
}

/**
 * Whether transactions that read and write registers were strictly serializable, where each value comes with the
 * revision that wrote it, as in etcd.
 *
 * The versions of each key are in order by their revisions, and a value names its writer, so who came before whom is
 * known and nothing has to be searched for: the history is legal if and only if that, with real time, has no cycle. An
 * illegal one is told by its shortest cycle, by Adya's names: G0, G1c (G1a and G1b by what was read alone), G-single, G2-item, and G2 where somebody had
 * looked through a range and not found what another put there (a phantom); `-realtime` when it needs the clock to be
 * seen. Revisions of different keys are not compared: this is a second opinion beside `checkRevisions`, which judges by
 * nothing else.
 *
 * @example
 * const id = history.call(client, [{ type: 'read', key: 'x' }, { type: 'write', key: 'y', value: '7' }]);
 * history.returned(id, { version: 12, reads: [{ version: 9, value: '3' }, null] });
 * assertOk(checkReadWriteRegisters(history.calls).verdict);
 */
export function checkReadWriteRegisters(
  calls: readonly RegisterCall[],
  options: RegisterOptions = {},
): RegisterReport {
  const { maxSteps = limits.cycleSteps, realTime = true } = options;
  const observations = observeRegisters(calls);
  const { violations, versions } = observations;
  const count = [...versions.values()].reduce((sum, { size }) => sum + size, 0);
  // Answers that contradict each other give no order that anything could follow from.
  if (violations.length > 0) return { verdict: verdictOf(violations), transactions: 0, versions: count };
  const graph = registerGraphOf(observations);
  const verdict = cycleViolations(graph, registerWords(graph), maxSteps, realTime);
  return { verdict, transactions: graph.transactions.length, versions: count };
}
