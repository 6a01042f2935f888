import { describe, expect, it } from 'vitest';
import { describeReport, isClean, runProcesses } from './process-run.ts';

describe('real members under kills and pauses', () => {
  // The full counts are those of `npm run soak:process`.
  it('lose no acknowledged write and answer as one store', async () => {
    const report = await runProcesses({
      clients: 16,
      seed: 1,
      leaderKills: 5,
      fullKills: 2,
      pauses: 2,
      answeredMin: 1_000,
    });
    console.log(describeReport(report));
    expect(isClean(report), describeReport(report)).toBe(true);
  }, 300_000);
});
