import { describe, expect, it } from 'vitest';
import type { Mutation } from './mutation.ts';
import { loadMutations, title } from './registry.ts';
import { readKillingSeeds } from './killing-seeds.ts';
import { runMutations } from './run.ts';

describe('a mutation of every number', () => {
  // What a seed draws changes with every change of the simulated code, so a recorded seed is where to look first and
  // not a promise. A mutation that is not found any more within the time needs `npm run mutations -- --record`.
  it('is noticed, soon, and the plain code is clean on the same seeds', async () => {
    const mutations = firstOfEachNumber(await loadMutations());
    const killingSeeds = readKillingSeeds();
    const { rows, baselines } = await runMutations(mutations, { secondsMax: 60, parallel: 2, killingSeeds });
    const survivors = rows.filter(({ result }) => result.type !== 'caught');
    expect(survivors.map(({ mutation, result }) => [title(mutation), result])).toEqual([]);
    const dirty = baselines.filter(({ result }) => result.type !== 'clean' || result.timedOut);
    expect(dirty).toEqual([]);
  }, 400_000);
});

/** All of them take minutes: CI does that in a step of its own, `npm run mutations -- --recorded`. */
function firstOfEachNumber(mutations: readonly Mutation[]): Mutation[] {
  const numbers = new Set<number>();
  return mutations.filter(({ number, isLong }) => {
    const isFirst = isLong !== true && !numbers.has(number);
    if (isFirst) numbers.add(number);
    return isFirst;
  });
}
