import type { Patch } from './mutation.ts';

/** What the runner asks of one thread: run these seeds, on patched or plain code, up to the first violation. */
export interface Job {
  readonly scenario: string;
  /** None: the plain code. */
  readonly patches: readonly Patch[];
  readonly seeds: readonly number[];
  /** No seed is begun after this long. */
  readonly secondsMax: number;
}

export type JobResult =
  | {
      readonly type: 'caught';
      readonly invariant: string;
      readonly message: string;
      readonly seed: number;
      readonly seedsTried: number;
      readonly seconds: number;
    }
  | {
      readonly type: 'clean';
      readonly seedsTried: number;
      readonly seconds: number;
      readonly timedOut: boolean;
    }
  | Broken;

/** Nothing was shown: the patch or the scenario does not work. */
export interface Broken {
  readonly type: 'broken';
  readonly message: string;
}

/** An array on the thread's global object, to which patched modules add their files: the scenario does load them. */
export const loadedMark = '__flotillaMutationLoaded';
