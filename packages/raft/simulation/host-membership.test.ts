import { describeFaults, explore } from '@flotilla/sim';
import { expect, it } from 'vitest';
import { membershipScenario } from './host-membership.ts';

it(
  'a group that changes its members all the while loses nothing, and everybody knows in the end who is one',
  { timeout: 240_000 },
  async () => {
    const { finding, coverage } = await explore({
      scenario: membershipScenario,
      from: 57,
      seeds: 35,
      repeatEvery: 35,
    });
    if (finding !== null) {
      const { name, message } = finding.result.violation ?? {};
      expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
    }
    // Seeds in which nothing went wrong would show nothing.
    for (const met of [
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
    ]) {
      expect(coverage.get(met), met).toBeGreaterThan(0);
    }
  },
);
