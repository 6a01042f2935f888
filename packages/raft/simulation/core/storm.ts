import { runCoreSeed } from './core-seed.ts';
import type { CoreRunResult } from './core-seed.ts';

/**
 * The membership storm: members are added, promoted, demoted, removed, replaced, wiped and come back, leadership is
 * transferred, members crash and the network falls apart, all at once, with one to seven members and linearizable reads
 * all the while.
 */
export function run(seed: number): CoreRunResult {
  return runCoreSeed(seed, { weather: 'storm' });
}
