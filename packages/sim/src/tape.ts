/**
 * The choice tape: every decision of a simulated run is a labelled draw from it. A seed generates the tape, the tape
 * replays the run, and because 0 always is the harmless choice (no fault, least delay, first in line), zeroing spans of
 * a failing tape shrinks the failure.
 */
export interface Tape {
  /** An integer in [0, bound). 0 is harmless. A bound of 1 is no choice and takes nothing from the tape. */
  choose(bound: number, label: string): number;
  /** True with probability `numerator / denominator`; false is harmless. */
  chance(numerator: number, denominator: number, label: string): boolean;
}
