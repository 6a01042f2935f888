import { expect, it } from 'vitest';
import { SoakTable } from './soak-table.ts';

it('adds up searches by scenario, and says what none of them has met', () => {
  const table = new SoakTable();
  const core = { scenario: 'core', seeds: 500, events: 3_000_000, simulatedMs: 1_800_000 };
  table.add({ ...core, coverage: { crash: 0, wipe: 0 }, edges: { 'role: a --x--> b': 2 } });
  table.add({ ...core, coverage: { crash: 3, wipe: 0 }, edges: { 'role: b --y--> a': 0 } });
  table.add({ ...core, scenario: 'cluster', seeds: 7, coverage: { crash: 1 }, edges: {} });
  expect(String(table).split('\n')).toEqual([
    'scenario  seeds     events  simulated  faults and marks met',
    'core      1,000  6,000,000      1.0 h  1 of 2, never: wipe',
    'cluster       7  3,000,000      0.5 h  1 of 1',
    'transitions of life cycles taken: 1 of 2, never: role: b --y--> a',
  ]);
});
