import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { itfValue } from './itf.ts';
import { mutants, mutated } from './mutants.ts';
import { Divergence, replay } from './replay.ts';
import { specTrace, type SpecStep } from './spec-trace.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const specification = read('../../../../spec/raft.qnt');

// `npm run spec` simulates the specification anew and replays all that comes of it.
describe('a recorded trace of the specification', () => {
  const steps = specTrace(JSON.parse(read('recorded.itf.json')));

  it('is what the core does, step by step', () => {
    replay(steps, true);
    const actions = new Set(steps.map(({ action }) => action));
    const all = [...specification.matchAll(/^ {2}action (\w+) = \{/gm)].map(([, name = '']) => name);
    expect([...actions].sort()).toEqual([...all, 'init'].sort());
    const commits = [...(steps.at(-1) as SpecStep).members.values()].map(({ commit }) => commit);
    expect(Math.max(...commits)).toBeGreaterThan(2);
  });

  const fields = ['term', 'vote', 'leader', 'commit'] as const;
  it.each(fields)('is not what the core does once its %s is another one', (field) => {
    const at = steps.findIndex(({ members }) => [...members.values()].some((member) => member[field] > 0));
    const { members, ...rest } = steps[at] as SpecStep;
    const other = new Map(
      [...members].map(([id, member]) => [id, { ...member, [field]: member[field] + 1 }]),
    );
    const spoilt = replaced(steps, at, { ...rest, members: other });
    expect(() => replay(spoilt, true)).toThrow(Divergence);
  });

  it('is not what the core does once an answer is another one', () => {
    const at = steps.findIndex(({ voteResponses }) => voteResponses.some(({ granted }) => granted));
    const { voteResponses, ...rest } = steps[at] as SpecStep;
    const denied = voteResponses.map((response) => ({ ...response, granted: false }));
    const spoilt = replaced(steps, at, { ...rest, voteResponses: denied });
    expect(() => replay(spoilt, true)).toThrow(/says vote-response .*"granted":true/);
  });

  it('is not what the core does once a step is missing', () => {
    const at = steps.findIndex(({ action }) => action === 'campaign');
    expect(() =>
      replay(
        steps.filter((_, index) => index !== at),
        true,
      ),
    ).toThrow(Divergence);
  });
});

describe('spec/raft.qnt', () => {
  it('names its invariants as SPEC.md does', () => {
    const spec = read('../../SPEC.md');
    const names = new Map(
      [...spec.matchAll(/^\| (I\d+) \| ([^|]+) \|/gm)].map(([, number = '', name = '']) => [
        number,
        name.trim().replace(', ', '__').replaceAll(' ', '_'),
      ]),
    );
    const found = [...specification.matchAll(/^ {2}val (I\d+)_(\w+) =/gm)];
    expect(found.length).toBeGreaterThan(8);
    for (const [, number = '', name] of found) expect([number, name]).toEqual([number, names.get(number)]);
    const [, checked = ''] = /val invariants = and \{([^}]*)\}/.exec(specification) ?? [];
    expect(checked.split(',').map((name) => name.trim())).toEqual(
      found.map(([, number, name]) => `${number}_${name}`),
    );
  });

  it.each(mutants)('has a place for the bug: $name', (mutant) => {
    expect(mutated(specification, mutant)).not.toBe(specification);
  });
});

describe('a value of a trace', () => {
  it('is what its JSON stands for', () => {
    const json = { '#map': [[{ '#bigint': '1' }, { log: [], seen: { '#set': [2, { '#bigint': '-3' }] } }]] };
    expect(itfValue(json)).toEqual([[1, { log: [], seen: [2, -3] }]]);
  });

  it.each([null, { '#bigint': '9007199254740993' }, [undefined]])(
    'is refused where it is none: %j',
    (json) => {
      expect(() => itfValue(json)).toThrow(/no value|no number/);
    },
  );

  it('is refused without states, or without the names of actions', () => {
    expect(() => specTrace({})).toThrow('has states');
    expect(() => specTrace({ states: [{ members: { '#map': [] } }] })).toThrow('--mbt');
  });
});

function replaced(steps: readonly SpecStep[], at: number, step: SpecStep): readonly SpecStep[] {
  return steps.map((its, index) => (index === at ? step : its));
}
