import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BaselineCheckout, baselineCommit } from '../support/baseline.ts';
import { describeReport, isClean, runProcesses } from './process-run.ts';

const commit = baselineCommit();
if (commit === null)
  console.warn('left out, because this clone has not the commit of compatibility/baseline');

describe.skipIf(commit === null)('members of the baseline build and of the present one', () => {
  let baseline: BaselineCheckout;

  beforeAll(() => {
    baseline = BaselineCheckout.create(commit!);
  });

  afterAll(() => {
    baseline.remove();
  });

  it('form one cluster while it is upgraded member by member under load, and while it goes back', async () => {
    const report = await runProcesses({
      clients: 8,
      seed: 1,
      upgradeFrom: baseline.launcher,
      leaderKills: 1,
      fullKills: 1,
      pauses: 0,
      answeredMin: 300,
    });
    console.log(describeReport(report));
    expect(isClean(report), describeReport(report)).toBe(true);
  }, 300_000);
});
