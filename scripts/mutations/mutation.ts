/**
 * One known bug, as a patch of a source file (and, seldom, of what hides it). Production code has no switch for it: the runner bundles the
 * patched text with a scenario, which looks for the damage in a thread of its own.
 *
 * Mutations live in `packages/<name>/mutations/*.ts`; each such module exports a `mutations` array. They are plain data
 * and import this type only, so no package depends on the runner.
 *
 * @example
 * import type { Mutation } from '../../../scripts/mutations/mutation.ts';
 *
 * export const mutations: readonly Mutation[] = [
 *   {
 *     number: 3,
 *     name: 'votes twice in a term',
 *     description: 'Grants a vote without looking at whom it was given to before: two leaders in one term.',
 *     file: 'packages/raft/src/core/election.ts',
 *     find: '(state.vote === nobody && state.leader === nobody)',
 *     replace: 'state.leader === nobody',
 *     scenario: 'packages/raft/simulation/core/core-seed.ts',
 *     seeds: 2_000,
 *   },
 * ];
 */
export interface Mutation extends Patch {
  /**
   * What `SPEC.md` refers to. Several patches may share a number when a bug has several
   * forms; the pair of number and name is unique.
   */
  readonly number: number;
  readonly name: string;
  /** What is broken, and what goes wrong in the world because of it. */
  readonly description: string;
  /**
   * What else the bug needs. Some rule of ours, which is not the one that is broken, keeps the circumstances away in
   * which another implementation has met it: without that rule alone nothing must go wrong (`npm run famous-bugs` looks).
   */
  readonly circumstances?: readonly Patch[];
  /** A {@link Scenario} module, relative to the root of the repository. */
  readonly scenario: string;
  /** Seeds 1 up to this one are tried; the mutation survives when none of them shows a violation. */
  readonly seeds: number;
  /** One seed takes seconds: it is tried with all the others, and not in `npm test`. */
  readonly isLong?: boolean;
}

/** A change of one source file. */
export interface Patch {
  /** Relative to the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file; a patch that no longer applies is an error, never a skipped row. */
  readonly find: string;
  readonly replace: string;
}

/** What a scenario module exports. Equal seeds give equal runs, in every process. */
export interface Scenario {
  /** Throwing counts as a violation: an assertion of the product that fires has caught the bug. */
  readonly run: (seed: number) => ScenarioResult | Promise<ScenarioResult>;
}

/** The part of a run's result that the runner needs. */
export interface ScenarioResult {
  readonly violation: null | {
    /** The invariant or checker that noticed, short enough for a table. */
    readonly invariant: string;
    readonly message: string;
  };
}
