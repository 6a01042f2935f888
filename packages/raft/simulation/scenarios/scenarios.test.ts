import { describeFaults } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { scenarios } from './all.ts';
import type { LabResult, LabScenario } from './lab-result.ts';
import { runLab } from './run-lab.ts';

/** A bounded form: `npm run soak:scenarios` plays 200 seeds of each. */
const seedsOf = (scenario: LabScenario): number =>
  scenario.options === null ? 20 : heavy.has(scenario.number.split(' ')[0] as string) ? 1 : 3;
const heavy: ReadonlySet<string> = new Set(['20', '22', '23', '24', '25', '29', '30']);

describe('the courses’ tests, over whole hosts in the simulator', () => {
  for (const scenario of scenarios) {
    it(`scenario ${scenario.number}: ${scenario.title}`, async () => {
      for (let seed = 1; seed <= seedsOf(scenario); seed += 1) passed(seed, await runLab(scenario, seed));
    });
  }

  it('a run is a function of its seed', async () => {
    for (const scenario of [scenarios[0], scenarios[4]] as LabScenario[]) {
      const [first, second] = [await runLab(scenario, 7), await runLab(scenario, 7)];
      expect(second.traceHash).toBe(first.traceHash);
      expect(second.measures).toEqual(first.measures);
    }
  });
});

function passed(seed: number, { violation, faults }: LabResult): void {
  if (violation === null) return;
  expect.fail(`seed ${seed}: ${violation.name}: ${violation.message}\n${describeFaults(faults)}`);
}
