import { describeFaults, explore } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { hostSnapshotsScenario } from './host-snapshots.ts';

it(
  'snapshots arrive, whole and never older than what is there, through cuts, damage, crashes and lost states',
  { timeout: 120_000 },
  async () => {
    const { finding, coverage } = await explore({
      scenario: hostSnapshotsScenario,
      from: 1,
      seeds: 25,
      repeatEvery: 25,
    });
    if (finding !== null) {
      const { name, message } = finding.result.violation ?? {};
      expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
    }
    // Seeds in which nothing went wrong would show nothing.
    for (const met of [
      'snapshots received',
      'snapshots resumed',
      'snapshots begun again',
      'snapshots damaged',
      'chunks throttled',
      'state lost',
      'started with a half-installed snapshot',
      'crash',
      'reads',
    ]) {
      expect(coverage.get(met), met).toBeGreaterThan(0);
    }
  },
);
