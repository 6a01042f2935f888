/**
 * What became of a call. `failed` is a promise that the operation had and will have no effect; whoever is not sure
 * records `unknown`: it may have taken effect at any time after the call, even after the end of the history, or never.
 */
export type Outcome<Result> =
  | { readonly type: 'returned'; readonly at: number; readonly result: Result }
  | { readonly type: 'failed'; readonly at: number; readonly reason: string }
  | { readonly type: 'unknown'; readonly reason: string };

export interface Call<Operation, Result> {
  /** Its position in the history, from 0. */
  readonly id: number;
  /** Who called. One client has one call open at a time, except after an unknown outcome. */
  readonly client: number;
  readonly operation: Operation;
  readonly calledAt: number;
  readonly outcome: Outcome<Result>;
}

/**
 * Records who asked for what, when, and what came back.
 *
 * The clock is the caller's. It must never run backwards, and the finer it is the more the checkers see: two calls
 * are ordered only when one returned strictly before the other was called. In a simulation a counter of events is
 * better than simulated time, at which many events coincide.
 *
 * @example
 * const history = new History<RegisterOperation, RegisterResult>(() => ++event);
 * const id = history.call(client, { type: 'read', key: 'k' });
 * history.returned(id, { type: 'read', value: 'v' });
 * assertOk(checkLinearizability(registerModel, history.calls));
 */
export class History<Operation, Result> {
  readonly #clock: () => number;
  readonly #calls: Call<Operation, Result>[] = [];
  #latest = -Infinity;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** In the order in which they were made. Calls that have not ended yet have an unknown outcome. */
  get calls(): readonly Call<Operation, Result>[] {
    return this.#calls;
  }

  /** Records that `client` asks for `operation` now; the answer names the call. */
  call(client: number, operation: Operation): number {
    const id = this.#calls.length;
    const outcome = { type: 'unknown', reason: 'no answer' } as const;
    this.#calls.push({ id, client, operation, calledAt: this.#now(), outcome });
    return id;
  }

  returned(id: number, result: Result): void {
    this.#end(id, { type: 'returned', at: this.#now(), result });
  }

  /** Only for calls that surely had no effect: refused before they were proposed, or refused by the state machine. */
  failed(id: number, reason: string): void {
    this.#end(id, { type: 'failed', at: this.#now(), reason });
  }

  /** A time-out, a lost connection, a dead member: anything after which the operation may have taken effect. */
  unknown(id: number, reason: string): void {
    this.#end(id, { type: 'unknown', reason });
  }

  #end(id: number, outcome: Outcome<Result>): void {
    const call = this.#calls[id];
    if (call === undefined) throw new Error(`no call ${id} in this history`);
    if (call.outcome.type !== 'unknown') throw new Error(`call ${id} has ended before`);
    this.#calls[id] = { ...call, outcome };
  }

  #now(): number {
    const now = this.#clock();
    if (!Number.isFinite(now) || now < this.#latest) {
      throw new Error(`the clock of a history went from ${this.#latest} to ${now}`);
    }
    this.#latest = now;
    return now;
  }
}

/** When the call is known to be over: infinity for an unknown outcome, which may take effect at any later time. */
export function endOf(call: Call<unknown, unknown>): number {
  return call.outcome.type === 'unknown' ? Infinity : call.outcome.at;
}
