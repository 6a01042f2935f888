import { present } from '../assert.ts';
import type { Violation } from '../violation.ts';
import { agreesWithEvidence } from './difference.ts';
import { Replay, type Candidate, type ReplayInput, type ReplayMark, type ReplayResult } from './replay.ts';

/**
 * The order of writes is known as far as it was acknowledged: revisions that no answer claims are filled with lost
 * writes, depth first. What answers showed of a revision (a key last modified there) usually leaves one candidate.
 */
export class SearchingReplay {
  readonly #input: ReplayInput;
  readonly #replay: Replay;
  readonly #violations: Violation[] = [];
  readonly #choices: Choice[] = [];
  readonly #explained = new Map<number, number>();
  /** What failed at the highest revision that any combination of lost writes came to. */
  #deepest: Failure | null = null;
  #steps = 0;

  constructor(input: ReplayInput) {
    this.#input = input;
    this.#replay = new Replay(input);
  }

  run(): ReplayResult {
    const { baseline, sorted, maxSteps, maxViolations } = this.#input;
    const stepsMax = maxSteps + sorted.latest - baseline.revision;
    this.#violations.push(...this.#replay.observe(baseline.revision));
    let revision = baseline.revision;
    while (revision < sorted.latest && this.#violations.length < maxViolations) {
      if (this.#steps > stepsMax) return this.#result(this.#exhausted());
      const found = this.#advance(revision + 1);
      if (found.length === 0) {
        revision += 1;
        continue;
      }
      const guessed = this.#choices.length > 0;
      this.#remember(revision + 1, found);
      const resumed = this.#backtrack();
      if (resumed !== null) {
        revision = resumed;
        continue;
      }
      this.#violations.push(...present(this.#deepest, 'failure').violations);
      // After a guess, or without anybody for a gap, the state is not known any more.
      if (guessed || !sorted.writers.has(revision + 1)) break;
      this.#deepest = null;
      revision += 1;
    }
    return this.#result(null);
  }

  #result(exhausted: string | null): ReplayResult {
    return {
      violations: this.#violations,
      revisions: this.#replay.revisions,
      explained: this.#explained,
      exhausted,
    };
  }

  #exhausted(): string {
    const hint = this.#deepest?.violations[0]?.message ?? 'no failure yet';
    return `no answer which lost writes took effect after ${this.#steps} steps; last seen: ${hint}`;
  }

  /** Makes the state of `revision` and compares what was seen of it. */
  #advance(revision: number): readonly Violation[] {
    this.#steps += 1;
    const writer = this.#input.sorted.writers.get(revision);
    if (writer === undefined) {
      const candidates = this.#candidates(revision);
      if (candidates.length === 0) return [noCandidate(revision)];
      const choice = { revision, mark: this.#replay.mark(), candidates, position: -1 };
      this.#choices.push(choice);
      return this.#tryNext(choice);
    }
    const execution = this.#replay.tryOut(writer.request, revision);
    const wrong = this.#replay.wrongAnswer(writer, execution);
    this.#replay.apply(revision, execution?.events ?? []);
    return [...(wrong === null ? [] : [wrong]), ...this.#replay.observe(revision)];
  }

  /** Fills the gap with the next candidate that agrees with the reads of its revision; the last complaint if none. */
  #tryNext(choice: Choice): readonly Violation[] {
    let complaint: readonly Violation[] = [noCandidate(choice.revision)];
    for (;;) {
      choice.position += 1;
      const candidate = choice.candidates[choice.position];
      if (candidate === undefined) break;
      this.#steps += 1;
      this.#replay.apply(choice.revision, candidate.events);
      this.#explained.set(candidate.lost.call.id, choice.revision);
      const found = this.#replay.observe(choice.revision);
      if (found.length === 0) return [];
      complaint = found;
      this.#takeBack(choice);
    }
    this.#choices.pop();
    return complaint;
  }

  /** Takes the last guess back that has an alternative, and takes that; null when there is none. */
  #backtrack(): number | null {
    for (;;) {
      const choice = this.#choices.at(-1);
      if (choice === undefined) return null;
      this.#takeBack(choice);
      if (this.#tryNext(choice).length === 0) return choice.revision;
    }
  }

  #takeBack(choice: Choice): void {
    this.#replay.undo(choice.mark);
    this.#explained.delete(present(choice.candidates[choice.position], 'candidate').lost.call.id);
  }

  #candidates(revision: number): Candidate[] {
    const evidence = this.#input.evidence.get(revision);
    const contents = new Set<string>();
    return this.#replay
      .lostWritesFor(revision, (events) => agreesWithEvidence(events, evidence))
      .filter(({ lost }) => {
        if (this.#explained.has(lost.call.id)) return false;
        // Requests of one content are interchangeable from here on: each may be used now and at any later gap.
        if (contents.has(lost.content)) return false;
        contents.add(lost.content);
        return true;
      });
  }

  #remember(revision: number, violations: readonly Violation[]): void {
    if (this.#deepest === null || revision > this.#deepest.revision) this.#deepest = { revision, violations };
  }
}

interface Choice {
  readonly revision: number;
  readonly mark: ReplayMark;
  readonly candidates: readonly Candidate[];
  position: number;
}

interface Failure {
  readonly revision: number;
  readonly violations: readonly Violation[];
}

function noCandidate(revision: number): Violation {
  return {
    rule: 'revisions/dense',
    message: `revision ${revision} was made by no acknowledged write and fits no lost one`,
    calls: [],
  };
}
