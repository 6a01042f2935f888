import type { Configuration, NodeId } from './types.ts';

/** The configuration of a new group: these voters, these learners, nobody removed. Sorts the ids. */
export function configurationOf(voters: readonly number[], learners: readonly number[] = []): Configuration {
  return { ...emptyConfiguration, voters: sortedIds(voters), learners: sortedIds(learners) };
}

/** Nobody: what a group has before its first snapshot says otherwise. */
export const emptyConfiguration: Configuration = Object.freeze({
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
  autoLeave: false,
  removed: [],
});

function sortedIds(ids: readonly number[]): readonly NodeId[] {
  return ([...ids] as NodeId[]).sort((a, b) => a - b);
}
