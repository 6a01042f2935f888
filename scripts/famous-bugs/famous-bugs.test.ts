import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Job, JobResult } from '../mutations/job.ts';
import type { Patch } from '../mutations/mutation.ts';
import { runJobs } from '../mutations/pool.ts';
import { patchesOf } from '../mutations/registry.ts';
import { readFound } from './found.ts';
import { loadHunted } from './hunted.ts';
import { pageFile, renderPage } from './page.ts';

const hunted = await loadHunted();
const found = readFound();

describe('bugs of other Raft implementations', () => {
  it('are told with what was recorded of them', () => {
    expect(readFileSync(pageFile, 'utf8')).toBe(renderPage(hunted, found));
    for (const { bug } of hunted) expect(found[bug.id]?.story.length, bug.id).toBeGreaterThan(0);
  });

  // (What a seed draws changes with the simulation: the recorded one is where to look first.)
  it('are found again with the seeds that are told, while the code without them is clean', async () => {
    const results = await runJobs(
      hunted.flatMap(({ bug, mutation }) => {
        const first = [found[bug.id]!.seed, found[bug.id]!.shrunkSeed];
        const others = Array.from({ length: mutation.seeds }, (_, i) => i + 1);
        const job = (patches: readonly Patch[], seeds: readonly number[]): Job => ({
          scenario: mutation.scenario,
          patches,
          seeds,
          secondsMax: 60,
        });
        return [job(patchesOf(mutation), [...first, ...others]), job(mutation.circumstances ?? [], first)];
      }),
      2,
    );
    const summaries = hunted.map(({ bug }, i) => [
      bug.id,
      ...results.slice(2 * i, 2 * i + 2).map((result: JobResult) => result.type),
    ]);
    expect(summaries).toEqual(hunted.map(({ bug }) => [bug.id, 'caught', 'clean']));
  });
});
