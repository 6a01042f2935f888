import { fromEventLoop, generatedTape } from '@flotilla/sim';
import { clusterScenario } from './cluster.ts';

/** For mutations: the whole database under faults. */
export async function run(
  seed: number,
): Promise<{ violation: null | { invariant: string; message: string } }> {
  const { violation } = await fromEventLoop(() => clusterScenario.run(generatedTape(seed)));
  return violation === null
    ? { violation: null }
    : { violation: { invariant: violation.name, message: violation.message } };
}
