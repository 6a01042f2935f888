import { generatedTape, runScenario } from '@flotilla/sim';
import { orderingScenario } from './ordering.ts';

/** For mutations. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(orderingScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}
