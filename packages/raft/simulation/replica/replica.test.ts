import { describeFaults, explore } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { replicaScenario } from './replica-simulation.ts';

it(
  'replicas lose nothing at whatever step of a snapshot they crash, and whoever comes and goes',
  { timeout: 240_000 },
  async () => {
    const { finding, coverage } = await explore({
      scenario: replicaScenario,
      from: 12,
      seeds: 13,
      repeatEvery: 12,
    });
    if (finding !== null) {
      const { name, message } = finding.result.violation ?? {};
      expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
    }
    // Seeds in which nothing went wrong would show nothing.
    for (const met of [
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
    ]) {
      expect(coverage.get(met), met).toBeGreaterThan(0);
    }
  },
);
