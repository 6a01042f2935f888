import { describeFaults } from '@flotilla/sim';
import { describe, expect, test } from 'vitest';
import { scenarios } from './all.ts';
import type { KvLabResult, KvScenario } from './lab-result.ts';
import { runKvScenario } from './run-scenario.ts';

describe('the courses’ tests of a key-value service, over whole members in the simulator', () => {
  for (const scenario of scenarios) {
    // A bounded form: `npm run soak:kv-scenarios` plays 200 seeds of each.
    test(`scenario ${scenario.number}: ${scenario.title}`, async () =>
      passed(1, await runKvScenario(scenario, 1)));
  }

  test('a run is a function of its seed', async () => {
    const [scenario] = scenarios as [KvScenario];
    const [first, second] = [await runKvScenario(scenario, 7), await runKvScenario(scenario, 7)];
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.measures).toEqual(first.measures);
  });
});

function passed(seed: number, { violation, faults }: KvLabResult): void {
  if (violation === null) return;
  expect.fail(`seed ${seed}: ${violation.name}: ${violation.message}\n${describeFaults(faults)}`);
}
