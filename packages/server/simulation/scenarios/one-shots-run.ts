import { retries } from './retries.ts';
import { runAll } from './retries-run.ts';

/** For mutations: sessions that end, and what comes after. */
export function run(seed: number): ReturnType<typeof runAll> {
  return runAll(
    retries.filter(({ number }) => number === '48'),
    seed,
  );
}
