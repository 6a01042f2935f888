import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const core = 'packages/raft/src/core';
const scenario = 'packages/raft/simulation/scenarios/schedules.ts';

/** Bugs that the courses' fixed schedules must notice by themselves: without them the schedules would show nothing. */
export const mutations: readonly Mutation[] = [
  {
    number: 7,
    name: 'commits entries of earlier terms by counting (scenario 21)',
    description:
      'Figure 8 of the paper: an entry of an earlier term is on a majority, is committed, and is replaced.',
    file: `${core}/replication.ts`,
    find: 'if (state.log.termAt(index) !== state.term) return false;',
    replace: '',
    scenario,
    seeds: 20,
  },
  {
    number: 9,
    name: 'commits beyond what an append has verified (scenario 27)',
    description: 'The divergent tail of a follower that led for a moment is taken for committed.',
    file: `${core}/following.ts`,
    find: 'log.commitTo(Math.min(message.commit, lastNew) as Index);',
    replace: 'log.commitTo(Math.min(message.commit, log.last) as Index);',
    scenario,
    seeds: 20,
  },
  {
    number: 11,
    name: 'truncates where there is no conflict (scenario 26)',
    description: 'A late append that is shorter takes away what came after it.',
    file: `${core}/following.ts`,
    find: 'if (log.matches(entry.index, entry.term)) continue;',
    replace: '',
    scenario,
    seeds: 20,
  },
  {
    number: 14,
    name: 'takes in a snapshot that is older than its commit index (scenario 33)',
    description: 'A stale or repeated snapshot moves a member back.',
    file: `${core}/following.ts`,
    find: 'if (snapshot.index <= log.commit) {',
    replace: 'if (snapshot.index <= log.base) {',
    scenario,
    seeds: 20,
  },
  {
    number: 39,
    name: 'puts off its candidacy for one that it will not vote for (scenario 6)',
    description:
      'Without pre-vote a member with a short log and an inflated term keeps everybody else from standing for election.',
    file: `${core}/core.ts`,
    find: 'else state.adoptTerm(message.term);',
    replace: "else state.becomeFollower('higher-term', message.term, nobody);",
    scenario: 'packages/raft/simulation/scenarios/elections-run.ts',
    seeds: 20,
  },
];
