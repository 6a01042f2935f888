import { NumberRuns } from './number-runs.ts';
import { ownRevision } from './pending.ts';
import type { RequestMemory, UnchangedOutcome, WrittenOutcome } from './request-memory.ts';
import { settle } from './settle.ts';

/** An outcome whose answer names writes that have no revision yet. */
interface Unsettled {
  readonly session: number;
  readonly outcome: WrittenOutcome | UnchangedOutcome;
  /** It is settled when this seq is numbered. */
  readonly at: number;
}

/** Answers that name writes of a shard which have no revision yet, and the revisions that they may name when they have. */
export class UnsettledAnswers {
  readonly #memory: RequestMemory;
  readonly #numbers: NumberRuns;
  /** In the order in which they were evaluated. */
  readonly #answers: Unsettled[];

  /** `numbered`: the last seq that was numbered; `runs`: as {@link UnsettledAnswers.runs} had them then. */
  constructor(memory: RequestMemory, numbered = 0, runs: NumberRuns['runs'] = []) {
    this.#memory = memory;
    this.#numbers = new NumberRuns(runs);
    this.#answers = unsettledIn(memory, numbered);
  }

  get runs(): NumberRuns['runs'] {
    return this.#numbers.runs;
  }

  /** Of a seq that an answer may still name. */
  revisionOf(seq: number): number {
    return this.#numbers.revisionOf(seq);
  }

  /** One that is settled when the seq `at` is numbered. */
  add(session: number, outcome: WrittenOutcome | UnchangedOutcome, at: number): void {
    this.#answers.push({ session, outcome, at });
  }

  /** A seq got its revision: answers that wait for nothing more have all of theirs. */
  number(seq: number, revision: number): void {
    this.#numbers.add(seq, revision);
    const revisionOf = (other: number): number => this.#numbers.revisionOf(other);
    // In the order of the log, which is that of what they wait for.
    let count = 0;
    for (const { session, outcome, at } of this.#answers) {
      if (at > seq) break;
      count += 1;
      this.#memory.settled(session);
      if (outcome.kind === 'written') {
        outcome.revision = revision;
        outcome.result = settle(outcome.result, { revisionOf, own: revision, effective: true });
      } else {
        // At which revision it is answered is known only then.
        outcome.result = settle(outcome.result, { revisionOf, own: ownRevision, effective: false });
      }
    }
    this.#answers.splice(0, count);
    const [oldest] = this.#answers;
    this.#numbers.forgetThrough(oldest === undefined ? seq : oldest.outcome.from);
  }
}

function unsettledIn(memory: RequestMemory, numbered: number): Unsettled[] {
  const unsettled: Unsettled[] = [];
  for (const [session, outcome] of memory.outcomes()) {
    if (outcome.kind === 'written' && outcome.revision === null) {
      unsettled.push({ session, outcome, at: outcome.seq });
    }
    if (outcome.kind === 'unchanged' && outcome.seen > numbered) {
      unsettled.push({ session, outcome, at: outcome.seen });
    }
  }
  // Of several that wait for one seq the first may name the oldest writes: what is forgotten goes by that one.
  return unsettled.sort((a, b) => a.at - b.at || a.outcome.from - b.outcome.from);
}
