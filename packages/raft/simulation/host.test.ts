import { it } from 'vitest';
import { expectNoViolation } from '../test/scenario-seeds.ts';
import { hostScenario } from './host.ts';

it('hosts lose nothing, apply nothing twice, and agree when all is mended', { timeout: 120_000 }, () =>
  expectNoViolation(hostScenario, {
    from: 1,
    seeds: 30,
    met: [
      'appends acknowledged',
      'reads',
      'proposals repeated',
      'snapshots received',
      'compactions',
      'crash',
      'node stopped by an error',
    ],
  }),
);
