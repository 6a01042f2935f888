import type { KvLabResult } from '../lab-result.ts';
import { playLab } from '../play-lab.ts';
import type { ShardedScenario } from './sharded-lab.ts';
import { SimulatedShardedLab } from './simulated-lab.ts';

/** One run of one scenario: a function of the seed. */
export function runShardedScenario({ options, play }: ShardedScenario, seed: number): Promise<KvLabResult> {
  return playLab<SimulatedShardedLab>(seed, (tape) => new SimulatedShardedLab(tape, options), play);
}
