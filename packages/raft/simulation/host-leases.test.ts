import { describeFaults, explore } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { hostLeasesScenario } from './host-leases.ts';

it(
  'no read by a lease is older than what was complete before, whatever clocks, cuts, pauses and transfers do',
  { timeout: 120_000 },
  async () => {
    const { finding, coverage } = await explore({
      scenario: hostLeasesScenario,
      from: 1,
      seeds: 25,
      repeatEvery: 25,
    });
    if (finding !== null) {
      const { name, message } = finding.result.violation ?? {};
      expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
    }
    for (const met of ['lease reads', 'transfers', 'pause', 'pauses noticed', 'isolate a node one way']) {
      expect(coverage.get(met), met).toBeGreaterThan(0);
    }
  },
);
