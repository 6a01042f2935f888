import { describeFaults, explore, generatedTape, runScenario } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { logScenario } from './log.ts';

describe('the log on a disk that fails', () => {
  it(
    'holds what it acknowledged and a prefix of the rest, seed after seed',
    { timeout: 120_000 },
    async () => {
      const { finding, coverage } = await explore({ scenario: logScenario, from: 1, seeds: 25 });
      if (finding !== null) {
        const { violation, faults } = finding.result;
        expect.fail(
          `seed ${finding.seed}: ${violation?.name}: ${violation?.message}\n${describeFaults(faults)}`,
        );
      }
      const met = Object.entries(coverage.toJSON()).filter(([, times]) => times > 0);
      expect(met.map(([name]) => name)).toEqual(
        expect.arrayContaining([
          'crash at a disk operation',
          'disk error full',
          'disk error io',
          'log repair',
          'log relocation',
          'log segment freed',
          'log: an unacknowledged operation survived',
          'log: an unacknowledged operation was lost',
          'log: closed',
          'log: damage refused',
          'log: failed for good',
          'log: read back',
        ]),
      );
    },
  );

  it('runs a seed the same way every time', async () => {
    const [once, again] = [
      await runScenario(logScenario, generatedTape(3)),
      await runScenario(logScenario, generatedTape(3)),
    ];
    expect(again.traceHash).toBe(once.traceHash);
    expect(again.events).toBe(once.events);
  });
});
