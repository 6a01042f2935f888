import { assert } from '@flotilla/platform';

/**
 * The term of every entry, as runs: a log changes its term once per leader, so this stays small however long the log
 * is, and log matching never has to read an old entry back.
 */
export class TermRuns {
  /** Each run goes up to the next one's `from`; both arrays ascend. */
  readonly #from: number[] = [];
  readonly #term: number[] = [];

  /** The term at `index`, which must not lie before the first run. */
  at(index: number): number {
    return this.#term[this.#runOf(index)] as number;
  }

  /** Where the run that holds `index` begins. */
  startAt(index: number): number {
    return this.#from[this.#runOf(index)] as number;
  }

  get lastTerm(): number | null {
    return this.#term.length === 0 ? null : (this.#term[this.#term.length - 1] as number);
  }

  append(index: number, term: number): void {
    const lastTerm = this.lastTerm;
    if (lastTerm === term) return;
    assert(lastTerm === null || term > lastTerm, 'terms only grow along a log');
    this.#from.push(index);
    this.#term.push(term);
  }

  /** Drops `from` and everything after it. */
  truncate(from: number): void {
    while (this.#from.length > 0 && (this.#from[this.#from.length - 1] as number) >= from) {
      this.#from.pop();
      this.#term.pop();
    }
  }

  /** Drops everything up to `through`. */
  compact(through: number, last: number): void {
    if (through >= last) {
      this.clear();
      return;
    }
    const keep = this.#runOf(through + 1);
    if (keep > 0) {
      this.#from.splice(0, keep);
      this.#term.splice(0, keep);
    }
    this.#from[0] = Math.max(this.#from[0] as number, through + 1);
  }

  clear(): void {
    this.#from.length = 0;
    this.#term.length = 0;
  }

  #runOf(index: number): number {
    const from = this.#from;
    let high = from.length - 1;
    assert(high >= 0 && index >= (from[0] as number), 'the index lies in a run');
    // Nearly every question is about the newest run.
    if (index >= (from[high] as number)) return high;
    let low = 0;
    while (low < high - 1) {
      const middle = (low + high) >> 1;
      if ((from[middle] as number) <= index) low = middle;
      else high = middle;
    }
    return low;
  }
}
