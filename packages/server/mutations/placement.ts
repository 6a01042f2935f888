import type { Mutation } from '../../../scripts/mutations/mutation.ts';

const scenario = 'packages/server/simulation/placement/placement.ts';

/** What can go wrong between a rule, a limit and the wish for balance. */
export const mutations: readonly Mutation[] = [
  {
    number: 45,
    name: 'placement counts a restart as a loss',
    description: 'A node that is away for a moment has all of its data copied elsewhere.',
    file: 'packages/server/src/placement/placement-state.ts',
    find: 'view.silent && forMs >= settings.lostAfterMs ? 1 : 0',
    replace: 'view.silent ? 1 : 0',
    scenario,
    seeds: 40,
  },
  {
    number: 45,
    name: 'placement forgets what it has decided in the same call',
    description: 'Each decision fits the limits, all of them together do not: a node is flooded.',
    file: 'packages/server/src/placement/tally.ts',
    find: 'this.movesIn[node] = (this.movesIn[node] as number) + 1;',
    replace: '',
    scenario,
    seeds: 40,
  },
  {
    number: 45,
    name: 'placement looks at the numbers of replicas and not at their zones',
    description: 'A shard has its three replicas in one zone, and is gone with it.',
    file: 'packages/server/src/placement/placement-state.ts',
    find: 'return most - least;',
    replace: 'return 0;',
    scenario,
    seeds: 40,
  },
  {
    number: 45,
    name: 'placement gives replicas to a node that flaps',
    description: 'A node that was heard of a second ago is the emptiest one, and is gone again.',
    file: 'packages/server/src/placement/placement-state.ts',
    find: '!view.silent && forMs >= settings.steadyAfterMs ? 1 : 0',
    replace: '!view.silent ? 1 : 0',
    scenario,
    seeds: 40,
  },
];
