import { it } from 'vitest';
import { expectNoViolation } from '../test/scenario-seeds.ts';
import { membershipScenario } from './host-membership.ts';

it(
  'a group that changes its members all the while loses nothing, and everybody knows in the end who is one',
  { timeout: 240_000 },
  () =>
    expectNoViolation(membershipScenario, {
      from: 113,
      seeds: 17,
      met: [
        'appends acknowledged',
        'change made',
        'transfer done',
        'lost its data',
        'snapshots received',
        'disk stalls noticed',
        // Every edge of the life of a member but `opening close`, see `member-life.ts`, and `installing fail`, which longer
        // runs meet: hosts fail at any time, and an installation is short.
        'opening fail',
        'opening restored',
        'opening state-missing',
        'serving snapshot-begins',
        'serving remove',
        'serving fail',
        'serving close',
        'awaiting-snapshot snapshot-begins',
        'awaiting-snapshot remove',
        'awaiting-snapshot fail',
        'awaiting-snapshot close',
        'installing close',
        'installing installed',
        'installing cut-off',
        'installing snapshot-begins',
        'installing remove',
        'removed fail',
        'removed close',
        'failed close',
      ],
    }),
);

it('nothing that a member forwards is told of as lost while two connections follow each other (seed 192)', () =>
  expectNoViolation(membershipScenario, { from: 192, seeds: 1, met: [] }));
