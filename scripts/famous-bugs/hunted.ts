import type { Mutation } from '../mutations/mutation.ts';
import { loadMutations, patchesOf, title } from '../mutations/registry.ts';
import { famousBugs } from './bugs.ts';
import type { FamousBug } from './bugs.ts';

/** A bug together with what brings it about, and where it is searched for. */
export interface Hunted {
  readonly bug: FamousBug;
  readonly mutation: Mutation;
  /** As `flotilla simulate` calls the scenario of the mutation. */
  readonly scenario: string;
  /** Those that the mutation changes. */
  readonly files: readonly string[];
}

const scenarioNames: Readonly<Record<string, string>> = {
  'packages/raft/simulation/core/core-seed.ts': 'core',
  'packages/raft/simulation/core/storm.ts': 'storm',
  'packages/raft/simulation/core/contested.ts': 'contested',
};

/** Every famous bug, in the order in which they are told. */
export async function loadHunted(): Promise<readonly Hunted[]> {
  const mutations = new Map((await loadMutations()).map((mutation) => [title(mutation), mutation]));
  return famousBugs.map((bug) => {
    const mutation = mutations.get(bug.mutation);
    if (mutation === undefined) throw new Error(`${bug.id}: there is no mutation «${bug.mutation}»`);
    const scenario = scenarioNames[mutation.scenario];
    if (scenario === undefined) throw new Error(`${bug.id}: ${mutation.scenario} is no simulation of cores`);
    const files = [...new Set(patchesOf(mutation).map(({ file }) => file))];
    return { bug, mutation, scenario, files };
  });
}
