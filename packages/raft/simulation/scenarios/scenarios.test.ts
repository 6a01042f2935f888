import { describeFaults } from '@flotilla/sim';
import { describe, expect, it } from 'vitest';
import { scenarios } from './all.ts';
import { topologies } from './cloudflare.ts';
import type { HostsScenario, LabResult, LabScenario } from './lab-result.ts';
import { runLab } from './run-lab.ts';

/** A bounded form: `npm run soak:scenarios` plays 200 seeds of each. */
const seedsOf = (scenario: LabScenario): number =>
  scenario.options === null ? 20 : light.has(scenario.number.split(' ')[0] as string) ? 3 : 1;
const light: ReadonlySet<string> = new Set('1 2 4 6 7 8 9 10 11 12 13 14 16 17 19 31 32'.split(' '));

describe('the courses’ tests, over whole hosts in the simulator', () => {
  for (const scenario of scenarios) {
    if (topologies.includes(scenario as HostsScenario)) continue;
    it(`scenario ${scenario.number}: ${scenario.title}`, async () => {
      for (let seed = 1; seed <= seedsOf(scenario); seed += 1) passed(seed, await runLab(scenario, seed));
    });
  }

  it('scenario 4, seeds 18 and 121: members that start together do not depose each other', async () => {
    const scenario = scenarios.find(({ number }) => number === '4') as LabScenario;
    for (const seed of [18, 121]) passed(seed, await runLab(scenario, seed));
  });

  it('a run is a function of its seed', async () => {
    for (const scenario of [scenarios[0], scenarios[4]] as LabScenario[]) {
      const [first, second] = [await runLab(scenario, 7), await runLab(scenario, 7)];
      expect(second.traceHash).toBe(first.traceHash);
      expect(second.measures).toEqual(first.measures);
    }
  });
});

describe('partly cut networks (Howard and Abraham, 2020)', () => {
  for (const scenario of topologies) {
    it(`${scenario.number}: ${scenario.title}`, async () => passed(1, await runLab(scenario, 1)));
  }
});

function passed(seed: number, { violation, faults }: LabResult): void {
  if (violation === null) return;
  expect.fail(`seed ${seed}: ${violation.name}: ${violation.message}\n${describeFaults(faults)}`);
}
