/** What the runner asks of one thread: run these seeds, on patched or plain code, up to the first violation. */
export interface Job {
  readonly scenario: string;
  readonly mutation: {
    readonly name: string;
    readonly file: string;
    readonly find: string;
    readonly replace: string;
  } | null;
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
  /** Nothing was shown: the patch or the scenario does not work. */
  | { readonly type: 'broken'; readonly message: string };

/** Set on the thread's global object by the patched module, to show that the scenario loads it. */
export const loadedMark = '__flotillaMutationLoaded';
