import { it } from 'vitest';
import { expectNoViolation } from '../test/scenario-seeds.ts';
import { hostSnapshotsScenario } from './host-snapshots.ts';

it(
  'snapshots arrive, whole and never older than what is there, through cuts, damage, crashes and lost states',
  { timeout: 120_000 },
  () =>
    expectNoViolation(hostSnapshotsScenario, {
      from: 1,
      seeds: 25,
      met: [
        'snapshots received',
        'snapshots resumed',
        'snapshots begun again',
        'snapshots damaged',
        'chunks throttled',
        'state lost',
        'started with a half-installed snapshot',
        'crash',
        'reads',
      ],
    }),
);
