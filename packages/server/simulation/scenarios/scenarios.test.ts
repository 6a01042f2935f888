import { describeFaults } from '@flotilla/sim';
import { describe, expect, test } from 'vitest';
import { scenarios } from './all.ts';
import type { KvLabResult, KvScenario } from './lab-result.ts';
import { runKvScenario } from './run-scenario.ts';

/** Each kind of fault is in one of them. */
const cells: readonly string[] = [
  '39 (unreliable)',
  '39 (partitions, one client)',
  '39 (restarts, partitions, unreliable)',
  '39 (snapshots, unreliable)',
  '39 (snapshots, restarts, partitions, unreliable)',
];

describe('the courses’ tests of a key-value service, over whole members in the simulator', () => {
  // A bounded form: `npm run soak:kv-scenarios` plays 200 seeds of each, and every cell of 39.
  for (const scenario of scenarios) {
    if (scenario.number.startsWith('39') && !cells.includes(scenario.number)) continue;
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
