import type { Call } from '../history.ts';

/**
 * A number for each call of a history: an array by their ids, which number the calls from 0. (A map by the calls
 * themselves took a third of the time of a check: each of a hundred thousand objects is given a hash.)
 */
export class CallTable {
  readonly #values: Float64Array;

  constructor(calls: readonly Call<unknown, unknown>[]) {
    let size = 0;
    for (const { id } of calls) size = Math.max(size, id + 1);
    this.#values = new Float64Array(size).fill(NaN);
  }

  /** Undefined for what was never set. */
  get(call: Call<unknown, unknown>): number | undefined {
    const value = this.#values[call.id];
    return value === undefined || Number.isNaN(value) ? undefined : value;
  }

  has(call: Call<unknown, unknown>): boolean {
    return this.get(call) !== undefined;
  }

  set(call: Call<unknown, unknown>, value: number): void {
    this.#values[call.id] = value;
  }
}
