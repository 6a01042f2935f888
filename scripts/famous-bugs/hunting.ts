import type { Broken } from '../mutations/job.ts';
import type { Patch } from '../mutations/mutation.ts';
import { runInThread } from '../mutations/pool.ts';

/** What a hunt asks of its thread: seeds of a scenario on patched code, and to shrink the first that fails. */
export interface HuntJob {
  readonly id: string;
  readonly title: string;
  /** One of the scenarios of `core-scenarios.ts`. */
  readonly scenario: string;
  readonly patches: readonly Patch[];
  readonly from: number;
  readonly seeds: number;
  /** How many seeds after the first that fails are tried for one that fails sooner. */
  readonly seedsForShortest: number;
}

export type HuntResult =
  | {
      readonly type: 'caught';
      /** The first that failed, and how many it took. */
      readonly seed: number;
      readonly seedsTried: number;
      /** The one that was shrunk: among the next, it failed the soonest. */
      readonly shrunkSeed: number;
      readonly searchSeconds: number;
      /** Which invariant, and its words in the shrunk run. */
      readonly invariant: string;
      readonly message: string;
      /** Runs that shrinking took, and what it has left of faults and of choices that are not harmless. */
      readonly attempts: number;
      readonly faultsBefore: number;
      readonly faultsLeft: number;
      readonly choicesBefore: number;
      readonly choicesLeft: number;
      /** What is left on the tape: by label, how many choices are not harmless. */
      readonly choices: readonly { readonly label: string; readonly count: number }[];
      /** What is left, in words. */
      readonly story: readonly string[];
      /** The page that shows it. */
      readonly html: string;
    }
  | { readonly type: 'clean'; readonly seedsTried: number }
  | Broken;

/** A search, a shrink and a report take this long at most, on a slow machine. */
const secondsMax = 900;

const entry = `
  import { hunt } from './scripts/famous-bugs/hunt.ts';
  import { contestedScenario, coreScenario, stormScenario } from './packages/raft/simulation/core/core-scenarios.ts';
  hunt([contestedScenario, coreScenario, stormScenario]);
`;

export function runHunt(job: HuntJob): Promise<HuntResult> {
  return runInThread<HuntResult>({ entry, patches: job.patches, data: job, secondsMax });
}
