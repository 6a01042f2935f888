import { retries } from './retries.ts';
import { runKvScenario } from './run-scenario.ts';

/** For mutations: requests that come again, over whole members. */
export async function run(
  seed: number,
): Promise<{ violation: null | { invariant: string; message: string } }> {
  for (const scenario of retries) {
    const { violation } = await runKvScenario(scenario, seed);
    if (violation === null) continue;
    return { violation: { invariant: `scenario ${scenario.number}`, message: violation.message } };
  }
  return { violation: null };
}
