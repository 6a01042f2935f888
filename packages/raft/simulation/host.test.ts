import { describeFaults, explore } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { hostScenario } from './host.ts';

it(
  'hosts lose nothing, apply nothing twice, and agree when all is mended',
  { timeout: 120_000 },
  async () => {
    const { finding, coverage } = await explore({
      scenario: hostScenario,
      from: 1,
      seeds: 30,
      repeatEvery: 30,
    });
    if (finding !== null) {
      const { name, message } = finding.result.violation ?? {};
      expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
    }
    // Seeds in which nothing went wrong would show nothing.
    for (const met of [
      'appends acknowledged',
      'reads',
      'proposals repeated',
      'snapshots received',
      'compactions',
      'crash',
      'node stopped by an error',
    ]) {
      expect(coverage.get(met), met).toBeGreaterThan(0);
    }
  },
);
