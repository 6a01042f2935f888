import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { bundle } from '../../../../scripts/mutations/bundle.ts';
import { mutations } from '../../mutations/core.ts';
import { exploreModel } from './explore.ts';
import { type Bounds, Worlds } from './world.ts';

const small: Bounds = {
  members: 3,
  terms: 1,
  entries: 1,
  crashes: 0,
  losses: 0,
  repetitions: 0,
  order: 'streams',
};

describe('every state that a small group can come to', () => {
  it('fulfils the invariants of SPEC.md', () => {
    const { complete, violation, states } = exploreModel(small, { statesMax: Infinity });
    expect({ complete, violation }).toEqual({ complete: true, violation: null });
    // An election and an entry in every order: fewer would say that the model has stopped moving.
    expect(states).toBeGreaterThan(1_000);
  });

  it('is counted once, whatever the names of the members are', () => {
    const worlds = new Worlds({ ...small, entries: 0 });
    const campaigns = [...worlds.successors(worlds.initial())];
    expect(campaigns.map(({ trace }) => trace?.action)).toEqual([
      '1: campaign',
      '2: campaign',
      '3: campaign',
    ]);
    expect(new Set(campaigns.map((world) => worlds.keyOf(world))).size).toBe(1);
    const [first] = campaigns;
    const again = [...worlds.successors(first!)].map((world) => worlds.keyOf(world));
    // 2 or 3 may campaign, too, or be asked: two times two of the same.
    expect([again.length, new Set(again).size]).toEqual([4, 2]);
  });
});

it.each([
  ['votes twice in a term', { ...small, entries: 0 }, /^I[12]$/],
  ['commits what only the leader has', small, /^I4$/],
  ['answers a vote before it is durable', { ...small, entries: 0, crashes: 1 }, /^I1$/],
])('a core that %s is found out', async (name, bounds, invariant) => {
  const { exploreModel: exploreMutant } = await mutated(name);
  const { violation } = exploreMutant(bounds, { statesMax: 3_000 });
  expect(violation?.invariant).toMatch(invariant);
  expect(violation?.steps.length).toBeLessThan(12);
});

/** The explorer with everything below it, one module of which has a known bug. */
async function mutated(name: string): Promise<{ readonly exploreModel: typeof exploreModel }> {
  const mutation = mutations.find((candidate) => candidate.name === name)!;
  const file = await bundle("export * from './packages/raft/simulation/model/explore.ts';", [mutation]);
  try {
    return (await import(pathToFileURL(file).href)) as { readonly exploreModel: typeof exploreModel };
  } finally {
    rmSync(dirname(file), { recursive: true });
  }
}
