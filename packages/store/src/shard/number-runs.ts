import { assert } from '@flotilla/platform';

interface Run {
  readonly seq: number;
  readonly revision: number;
  count: number;
}

/** Which revisions the latest seqs of a shard got, as long as an answer may still name one by its seq. */
export class NumberRuns {
  readonly #runs: Run[];

  constructor(runs: readonly Run[] = []) {
    this.#runs = runs.map((run) => ({ ...run }));
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  add(seq: number, revision: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.revision + last.count === revision && last.seq + last.count === seq) {
      last.count += 1;
    } else this.#runs.push({ seq, revision, count: 1 });
  }

  revisionOf(seq: number): number {
    for (const run of this.#runs) {
      if (seq >= run.seq && seq < run.seq + run.count) return run.revision + seq - run.seq;
    }
    assert(false, () => `the revision of seq ${seq} is still known`);
  }

  /** Seqs up to this one are named by no answer any more. */
  forgetThrough(seq: number): void {
    while (this.#runs.length > 0 && (this.#runs[0] as Run).seq + (this.#runs[0] as Run).count - 1 <= seq) {
      this.#runs.shift();
    }
  }
}
