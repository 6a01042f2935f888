import { assert } from '@flotilla/platform';

/** Which event logs of a node some shard lists. What nobody lists any more is garbage, and is told once. */
export class LogUse {
  /** Told of a log that nobody lists any more. */
  unused: (log: number) => void = () => undefined;
  readonly #uses = new Map<number, number>();
  #next = 1;

  /** There are rows of this one, listed or not: no other gets its number. */
  avoid(log: number): void {
    this.#next = Math.max(this.#next, log + 1);
  }

  /** The number of a log that there is not yet. Nobody lists it yet. */
  next(): number {
    const log = this.#next;
    this.#next += 1;
    return log;
  }

  /** Everything is replaced. */
  clear(): void {
    this.#uses.clear();
  }

  isUsed(log: number): boolean {
    return this.#uses.has(log);
  }

  retain(log: number): void {
    this.#uses.set(log, (this.#uses.get(log) ?? 0) + 1);
    this.avoid(log);
  }

  release(log: number): void {
    const uses = this.#uses.get(log);
    assert(uses !== undefined, 'a log is let go of as often as it was listed');
    if (uses > 1) {
      this.#uses.set(log, uses - 1);
      return;
    }
    this.#uses.delete(log);
    this.unused(log);
  }
}
