import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createMachine, transition } from 'xstate';
import { diagramFiles } from './files.ts';
import { tables } from './tables.ts';
import type { MachineConfig } from './xstate.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'docs/state-machines');

describe.each(tables)('the diagrams of $file', ({ file, table, states, events, source }) => {
  const config = JSON.parse(readFileSync(join(folder, `${file}.xstate.json`), 'utf8')) as MachineConfig;
  const edges = table.coverage();

  it('load into XState, which takes every edge of the table and no other', () => {
    const machine = createMachine(config as Parameters<typeof createMachine>[0]);
    const allEvents = [...new Set(edges.map(({ event }) => event))];
    let taken = 0;
    for (const from of table.states) {
      for (const event of allEvents) {
        const edge = edges.find((one) => one.from === from && one.event === event);
        const [next] = transition(machine, machine.resolveState({ value: from }), { type: event });
        expect([from, event, next.value]).toEqual([from, event, edge?.to ?? from]);
        if (edge !== undefined) taken += 1;
      }
    }
    expect(taken).toBe(edges.length);
    expect(Object.keys(config.states)).toEqual(table.states);
    expect(config.initial).toBe(table.states[0]);
  });

  it('show every state and every event', () => {
    const svg = readFileSync(join(folder, `${file}.svg`), 'utf8');
    const mermaid = readFileSync(join(folder, `${file}.mmd`), 'utf8');
    const page = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const name of [...table.states, ...edges.map(({ event }) => event)]) {
      // Graphviz escapes hyphens, and indents labels with spaces that do not break.
      expect(svg).toMatch(new RegExp(`>\\s*(&#160;)*${name.replaceAll('-', '&#45;')}</text>`));
      expect(page).toContain(`\`${name}\``);
    }
    for (const { from, event, to } of edges) {
      const id = (state: string): string => state.replaceAll('-', '_');
      expect(mermaid).toContain(`${id(from)} --> ${id(to)}: ${event}\n`);
    }
  });

  it('say something of everything, and nothing of anything else', () => {
    expect(Object.keys(states)).toEqual(table.states);
    expect(new Set(Object.keys(events))).toEqual(new Set(edges.map(({ event }) => event)));
    expect(readFileSync(join(root, source), 'utf8')).toContain('transitionTable(');
  });
});

it('the committed files are those that the tables give', async () => {
  const wanted = await diagramFiles();
  expect(readdirSync(folder).sort()).toEqual([...wanted.keys()].sort());
  for (const [name, content] of wanted)
    expect([name, readFileSync(join(folder, name), 'utf8')]).toEqual([name, content]);
});

it('every transition table in the code has its diagrams', () => {
  const packages = join(root, 'packages');
  const sources = readdirSync(packages).flatMap((name) =>
    readdirSync(join(packages, name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter(
        (file) => file.endsWith('.ts') && !file.endsWith('.test.ts') && !file.endsWith('transition-table.ts'),
      )
      .map((file) => join('packages', name, 'src', file)),
  );
  const declaring = sources.filter((file) =>
    / = transitionTable\(/.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(declaring.sort()).toEqual(tables.map(({ source }) => source).sort());
});
