import { fromEventLoop, generatedTape } from '@flotilla/sim';
import { KvLab } from './kv-lab.ts';
import type { KvLabResult, KvScenario } from './lab-result.ts';
import { LabStopped } from './lab-stopped.ts';

/** One run of one scenario: a function of the seed. */
export function runKvScenario({ options, play }: KvScenario, seed: number): Promise<KvLabResult> {
  return fromEventLoop(() => {
    const lab = new KvLab(generatedTape(seed), options);
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
