import type { DocumentedTable } from './tables.ts';

/** Events from here on lead from so many states to one that they would hide the rest: they are drawn faintly. */
const commonFrom = 4;

/** The table in Graphviz' language. Transitions between the same two states share one arrow. */
export function toDot({ table }: DocumentedTable): string {
  const edges = table.coverage();
  const labels = new Map<string, string[]>();
  for (const { from, event, to } of edges) {
    const key = JSON.stringify([from, to]);
    const events = labels.get(key) ?? [];
    events.push(event);
    labels.set(key, events);
  }
  const lines = [
    'digraph {',
    '  graph [rankdir=TB, bgcolor=transparent, nodesep=0.9, ranksep=0.75, pad=0.3];',
    '  node [shape=box, style="rounded,filled", margin="0.24,0.13", fontname="Helvetica,Arial,sans-serif", fontsize=14];',
    '  edge [fontname="Helvetica,Arial,sans-serif", fontsize=11, arrowsize=0.8];',
    '  start [shape=circle, style=filled, label="", width=0.16, class=start];',
    `  start -> ${quote(table.states[0] ?? '')} [class=common];`,
  ];
  const ends = new Set(table.states.filter((state) => !edges.some(({ from }) => from === state)));
  for (const state of table.states) {
    lines.push(`  ${quote(state)} [class=${ends.has(state) ? 'end' : 'state'}];`);
  }
  for (const [key, events] of labels) {
    const [from, to] = JSON.parse(key) as [string, string];
    const common = events.every((event) => isCommon(edges, event, to));
    const text = events.map((event) => `${event}\\l`).join('');
    const weight = common ? ', class=common, weight=0' : ', class=transition, weight=2';
    lines.push(`  ${quote(from)} -> ${quote(to)} [label="${text}"${weight}];`);
  }
  lines.push('}');
  return `${lines.join('\n')}\n`;
}

function isCommon(
  edges: ReturnType<DocumentedTable['table']['coverage']>,
  event: string,
  to: string,
): boolean {
  return (
    edges.filter((edge) => edge.event === event && edge.to === to && edge.from !== to).length >= commonFrom
  );
}

function quote(state: string): string {
  return JSON.stringify(state);
}
