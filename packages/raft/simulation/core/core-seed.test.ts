import { progressStates, roles } from '@flotilla/raft';
import { describe, expect, it } from 'vitest';
import { runCoreSeed } from './core-seed.ts';
import type { CoreRunResult } from './core-seed.ts';
import { run as runContested } from './contested.ts';
import { scripts } from './scripts.ts';
import { run as runStorm } from './storm.ts';

/** Enough that each fault happens; longer searches are made by hand. */
const seeds = 150;

describe('cores on crashing disks and a bad network', () => {
  const coverage = new Map<string, number>();

  function search(name: string, from: number, to: number, runSeed: (seed: number) => CoreRunResult): void {
    it(`${name}: seeds ${from} to ${to} keep every invariant, and agree in the end`, () => {
      for (let seed = from; seed <= to; seed += 1) {
        const result = runSeed(seed);
        expect(result.violation, `seed ${seed}`).toBeNull();
        for (const [what, times] of Object.entries(result.coverage)) {
          coverage.set(what, (coverage.get(what) ?? 0) + times);
        }
      }
    });
  }

  search('drawn circumstances', 1, seeds, (seed) => runCoreSeed(seed));
  search('liveness by ticks', 1, 60, (seed) => runCoreSeed(seed, { settings: { liveness: 'ticks' } }));
  search('liveness by peers', 1, 60, (seed) => runCoreSeed(seed, { settings: { liveness: 'peers' } }));
  search('contested leaderships', 1, 60, runContested);
  search('a membership storm', 1, 100, runStorm);

  it('meets everything that it is meant to meet', () => {
    for (const what of [
      'crash loses writes',
      'change appended',
      'change forwarded',
      'compaction',
      'leader elected',
      'log read',
      'log read: compacted',
      'message duplicated',
      'members changed',
      'message lost',
      'new member that knows nobody',
      'peer silent',
      'proposal lost for sure',
      'read answered',
      'read under a lease',
      'redelivered append-response',
      'redelivered vote-response',
      'refused: change-pending',
      'refused: id-reused',
      'refused: invalid-change',
      'refused: learner-behind',
      'refused: no-leader',
      'refused: not-ready',
      'refused: term-not-committed',
      'refused: transferring',
      'refused: uncommitted-bytes',
      'snapshot installed',
      'switched off',
      'truncation',
      'wipe',
      'write acknowledged',
    ]) {
      expect(coverage.get(what) ?? 0, what).toBeGreaterThan(0);
    }
  });

  it('takes every transition of role and progress', () => {
    // The rarest, which some thousand seeds take once or twice, are scripted.
    for (const play of Object.values(scripts)) play();
    const untaken = [...roles.coverage(), ...progressStates.coverage()].filter(({ count }) => count === 0);
    expect(untaken).toEqual([]);
  });

  it('repeats a run from its seed, and from its tape', () => {
    for (const seed of [3, 14, 15]) {
      const first = runCoreSeed(seed);
      expect(runCoreSeed(seed).traceHash).toBe(first.traceHash);
      const replayed = runCoreSeed(first.tape);
      expect(replayed.traceHash).toBe(first.traceHash);
      expect(replayed.events).toBe(first.events);
    }
  });
});
