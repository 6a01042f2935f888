import { runCoreSeed } from './core-seed.ts';
import type { CoreRunResult } from './core-seed.ts';

/** Leaderships that end as soon as they begin (see `Weather`). */
export function run(seed: number): CoreRunResult {
  return runCoreSeed(seed, { weather: 'contested' });
}
