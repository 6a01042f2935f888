import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readKillingSeeds } from './killing-seeds.ts';
import type { Mutation } from './mutation.ts';
import { loadMutations, title } from './registry.ts';
import { readmeFile, summaryTable, withSummary } from './summary.ts';

const seeds = readKillingSeeds();
const mutations = await loadMutations();

it('the README says what is recorded of the mutations', () => {
  const readme = readFileSync(readmeFile, 'utf8');
  expect(withSummary(readme, summaryTable(mutations, seeds))).toBe(readme);
});

it('no killing seed is recorded of a mutation that is not there any more', () => {
  const titles = new Set(mutations.map(title));
  expect(Object.keys(seeds).filter((name) => !titles.has(name))).toEqual([]);
});

it('a mutation without a killing seed is not noticed, and counts in no median', () => {
  const mutation = (name: string): Mutation => {
    return { number: 1, name, description: '', file: 'packages/raft/x.ts', find: '', replace: '', scenario: '', seeds: 9 }; // prettier-ignore
  };
  const table = summaryTable(['a', 'b', 'c', 'd'].map(mutation), { '1 a': 7, '1 b': 1, '1 c': 3 });
  expect(table.split('\n').at(-1)).toBe('| all | 4 | 3 (75 %) | 3 | 7 | 7 |');
});
