import { describe, expect, it } from 'vitest';
import { loadMutations, title } from '../../../scripts/mutations/registry.ts';
import { readKillingSeeds, runMutations } from '../../../scripts/mutations/run.ts';

describe('every mutation', () => {
  it('is noticed at the seed that noticed it before, where the plain code is clean', async () => {
    const mutations = await loadMutations();
    const killingSeeds = readKillingSeeds();
    expect(mutations.map(title).filter((name) => killingSeeds[name] === undefined)).toEqual([]);
    const { rows, baselines } = await runMutations(mutations, { secondsMax: 60, parallel: 2, killingSeeds });
    const survivors = rows.filter(({ result }) => result.type !== 'caught');
    expect(survivors.map(({ mutation, result }) => [title(mutation), result])).toEqual([]);
    const dirty = baselines.filter(({ result }) => result.type !== 'clean' || result.timedOut);
    expect(dirty).toEqual([]);
  }, 300_000);
});
