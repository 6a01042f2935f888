import { generatedTape, runScenario } from '@flotilla/sim';
import type { Scenario } from '@flotilla/sim';
import { shardedScenarios } from './transactions.ts';

/** For mutations: each seed is one of another workload than the seed before, on shards that change all the while. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const scenario = shardedScenarios[seed % shardedScenarios.length] as Scenario;
  const { violation } = await runScenario(scenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}
