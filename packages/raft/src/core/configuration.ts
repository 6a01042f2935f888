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

/** Whether the same members have the same parts. Lists of ids are in order in every configuration. */
export function isSameConfiguration(a: Configuration, b: Configuration): boolean {
  return (
    a.autoLeave === b.autoLeave &&
    areSameIds(a.voters, b.voters) &&
    areSameIds(a.votersOutgoing, b.votersOutgoing) &&
    areSameIds(a.learners, b.learners) &&
    areSameIds(a.learnersNext, b.learnersNext) &&
    areSameIds(a.removed, b.removed)
  );
}

function areSameIds(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

function sortedIds(ids: readonly number[]): readonly NodeId[] {
  return ([...ids] as NodeId[]).sort((a, b) => a - b);
}
