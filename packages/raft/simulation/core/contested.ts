import { runCoreSeed } from './core-seed.ts';
import type { CoreRunResult } from './core-seed.ts';

/**
 * Leaderships that end as soon as they begin, with one entry to a message: half-replicated tails of many terms meet each
 * other, which a fair draw of circumstances seldom brings about.
 */
export function run(seed: number): CoreRunResult {
  return runCoreSeed(seed, {
    settings: {
      members: seed % 2 === 0 ? 5 : 3,
      checkQuorum: seed % 3 === 0,
      preVote: seed % 5 === 0,
      maxMessageBytes: 1,
      maxUncommittedBytes: 100,
      lossPerMille: 0,
      duplicatePerMille: 0,
      compactAfter: 0,
      electionTicks: 5,
      faultEveryMs: 30,
      ambushPerMille: 900,
      faultEvents: 3_000,
    },
  });
}
