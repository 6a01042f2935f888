import { describeFaults, explore } from '@flotilla/sim';
import type { Scenario } from '@flotilla/sim';
import { expect } from 'vitest';

/**
 * Runs `seeds` seeds of a scenario, the last of them twice to compare trace hashes. None of them may violate
 * anything; and together they must have met what `met` counts: seeds in which nothing went wrong would show nothing.
 */
export async function expectNoViolation(
  scenario: Scenario,
  options: { readonly from: number; readonly seeds: number; readonly met: readonly string[] },
): Promise<void> {
  const { from, seeds, met } = options;
  const { finding, coverage, repeated } = await explore({
    scenario,
    from,
    seeds,
    repeatEvery: from + seeds - 1,
  });
  if (finding !== null) {
    const { name, message } = finding.result.violation ?? {};
    expect.fail(`seed ${finding.seed}: ${name}: ${message}\n${describeFaults(finding.result.faults)}`);
  }
  expect(repeated).toBeGreaterThan(0);
  for (const name of met) expect(coverage.get(name), name).toBeGreaterThan(0);
}
