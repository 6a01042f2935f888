import { it } from 'vitest';
import { expectNoViolation } from '../../test/scenario-seeds.ts';
import { replicaScenario } from './replica-simulation.ts';

it(
  'replicas lose nothing at whatever step of a snapshot they crash, and whoever comes and goes',
  { timeout: 240_000 },
  () =>
    expectNoViolation(replicaScenario, {
      from: 28,
      seeds: 13,
      met: [
        'appends acknowledged',
        'reads',
        'snapshots taken',
        'snapshots installed',
        'compactions',
        'crash at a snapshot',
        'latest snapshot damaged',
        'all snapshots damaged',
        'wish: add',
        'wish: replace',
        'wish: remove',
        'node stopped by an error',
      ],
    }),
);
