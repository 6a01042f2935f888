import type { DocumentedTable } from './tables.ts';

/** The page of all tables. */
export function toPage(tables: readonly DocumentedTable[]): string {
  const parts = [
    '# State machines',
    'Each life cycle is declared once, as a table in the code. The same literal gives the types, the check at run time ' +
      '(an illegal transition is an assertion), the count of what tests and simulations have taken, and this page with ' +
      'its pictures: `npm run diagrams` writes it, and CI fails when it is stale.',
    'For each table there is a picture (`.svg`), a Mermaid diagram (`.mmd`) and a machine (`.xstate.json`) that XState ' +
      'loads with `createMachine`. An arrow from a dashed frame is one from every state in the frame.',
    ...tables.flatMap(sectionOf),
  ];
  return `${parts.join('\n\n')}\n`;
}

function sectionOf({ file, title, source, table, about, states, events }: DocumentedTable): string[] {
  return [
    `## ${title}`,
    `${about} The table is in [\`${source}\`](../../${source}).`,
    `![${title}](${file}.svg)`,
    listOf('state', table.states, states),
    listOf('event', [...new Set(table.coverage().map(({ event }) => event))], events),
    `[Mermaid](${file}.mmd) · [XState](${file}.xstate.json)`,
  ];
}

function listOf(what: string, names: readonly string[], about: Readonly<Record<string, string>>): string {
  const rows = names.map((name) => `| \`${name}\` | ${about[name] ?? ''} |`);
  return [`| ${what} | |`, '|---|---|', ...rows].join('\n');
}
