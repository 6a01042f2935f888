import { fromEventLoop, generatedTape } from '@flotilla/sim';
import type { KvLabResult } from '../lab-result.ts';
import { LabStopped } from '../lab-stopped.ts';
import type { ShardedScenario } from './sharded-lab.ts';
import { SimulatedShardedLab } from './simulated-lab.ts';

/** One run of one scenario: a function of the seed. */
export function runShardedScenario({ options, play }: ShardedScenario, seed: number): Promise<KvLabResult> {
  return fromEventLoop(() => {
    const lab = new SimulatedShardedLab(generatedTape(seed), options);
    try {
      play(lab);
    } catch (error) {
      if (!(error instanceof LabStopped)) throw error;
    } finally {
      lab.world.end();
    }
    return lab.result();
  });
}
