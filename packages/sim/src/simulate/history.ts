/**
 * What became of a call, in the form that `@flotilla/check` reads. `failed` promises that the call has had no effect and
 * never will have; after a time-out or a cut connection the outcome is `unknown`.
 */
export type CallOutcome<Result> =
  | { readonly type: 'returned'; readonly at: number; readonly result: Result }
  | { readonly type: 'failed'; readonly at: number; readonly reason: string }
  | { readonly type: 'unknown'; readonly reason: string };

export interface HistoryCall<Operation, Result> {
  readonly id: number;
  readonly client: number;
  readonly operation: Operation;
  readonly calledAt: number;
  readonly outcome: CallOutcome<Result>;
}

/** Judges a history: answers (or throws) what is wrong with it, or null. */
export type HistoryCheck<Operation, Result> = (
  calls: readonly HistoryCall<Operation, Result>[],
) => string | null | undefined | void;

/** An error after which the call surely had no effect; every other error leaves that open. */
export class RefusedCall extends Error {
  override readonly name = 'RefusedCall';
}

/**
 * Who asked for what, in which order, and what came back. Its clock counts the events of the world: one thing happens at
 * a time in a simulation, so that even calls at one simulated instant have an order.
 *
 * @example
 * const history = sim.history<Operation, Result>('register', (calls) => judge(calls));
 * const value = await history.call(client, { type: 'read' }, () => read(platform)); // null: nobody knows what it did
 */
export class RecordedHistory<Operation, Result> {
  readonly name: string;
  readonly #calls: HistoryCall<Operation, Result>[] = [];
  readonly #check: HistoryCheck<Operation, Result>;
  readonly #events: () => number;
  #clock = 0;

  constructor(name: string, check: HistoryCheck<Operation, Result>, events: () => number) {
    this.name = name;
    this.#check = check;
    this.#events = events;
  }

  /** In the order in which they were made. Calls that have not ended yet have an unknown outcome. */
  get calls(): readonly HistoryCall<Operation, Result>[] {
    return this.#calls;
  }

  /**
   * Makes a call and records it. An error of `perform` makes its outcome unknown, a {@link RefusedCall} makes it
   * failed, and an error of the language (a `TypeError`, …) is a bug of the program and goes on to the caller.
   *
   * @returns the result, or null when there is none.
   */
  async call(
    client: number | { readonly number: number },
    operation: Operation,
    perform: () => Promise<Result> | Result,
  ): Promise<Result | null> {
    const id = this.#calls.length;
    const outcome = { type: 'unknown', reason: 'no answer' } as const;
    const number = typeof client === 'number' ? client : client.number;
    this.#calls.push({ id, client: number, operation, calledAt: this.#tick(), outcome });
    try {
      const result = await perform();
      this.#end(id, { type: 'returned', at: this.#tick(), result });
      return result;
    } catch (cause) {
      if (isProgrammingError(cause)) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      if (cause instanceof RefusedCall) this.#end(id, { type: 'failed', at: this.#tick(), reason });
      else this.#end(id, { type: 'unknown', reason });
      return null;
    }
  }

  /** What the check says to all that was recorded. */
  judge(): string | null {
    return this.#check(this.#calls) ?? null;
  }

  #end(id: number, outcome: CallOutcome<Result>): void {
    const call = this.#calls[id];
    if (call !== undefined) this.#calls[id] = { ...call, outcome };
  }

  /** Rounded up it is the event in which it happens; within one, things have their order, too. */
  #tick(): number {
    this.#clock = Math.max(this.#clock, this.#events() - 1) + 1 / 8;
    return this.#clock;
  }
}

function isProgrammingError(cause: unknown): boolean {
  return cause instanceof TypeError || cause instanceof ReferenceError || cause instanceof RangeError;
}
