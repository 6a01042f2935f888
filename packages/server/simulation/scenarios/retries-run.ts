import type { KvScenario } from './lab-result.ts';
import { retries } from './retries.ts';
import { runKvScenario } from './run-scenario.ts';

interface Outcome {
  readonly violation: null | { readonly invariant: string; readonly message: string };
}

/** For mutations: requests that come again, over whole members. */
export function run(seed: number): Promise<Outcome> {
  return runAll(
    retries.filter(({ number }) => number.startsWith('44')),
    seed,
  );
}

/** Up to the first that fails. */
export async function runAll(scenarios: readonly KvScenario[], seed: number): Promise<Outcome> {
  for (const scenario of scenarios) {
    const { violation } = await runKvScenario(scenario, seed);
    if (violation === null) continue;
    return { violation: { invariant: `scenario ${scenario.number}`, message: violation.message } };
  }
  return { violation: null };
}
