import { it } from 'vitest';
import { expectNoViolation } from '../test/scenario-seeds.ts';
import { hostLeasesScenario } from './host-leases.ts';

it(
  'no read by a lease is older than what was complete before, whatever clocks, cuts, pauses and transfers do',
  { timeout: 120_000 },
  () =>
    expectNoViolation(hostLeasesScenario, {
      from: 1,
      seeds: 12,
      met: ['lease reads', 'transfers', 'pause', 'pauses noticed', 'isolate a node one way'],
    }),
);
