import { KvLab } from './kv-lab.ts';
import type { KvLabResult, KvScenario } from './lab-result.ts';
import { playLab } from './play-lab.ts';

/** One run of one scenario: a function of the seed. */
export function runKvScenario({ options, play }: KvScenario, seed: number): Promise<KvLabResult> {
  return playLab<KvLab>(seed, (tape) => new KvLab(tape, options), play);
}
