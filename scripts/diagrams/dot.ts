import type { DocumentedTable } from './tables.ts';

type Edges = ReturnType<DocumentedTable['table']['coverage']>;

/** An event that leads from so many states to one is drawn once, from a frame around them, as Harel's statecharts do. */
const framedFrom = 4;

/** States that share a way out. */
interface Frame {
  readonly states: ReadonlySet<string>;
  readonly event: string;
  readonly to: string;
}

/** The table in Graphviz' language. Transitions between the same two states share one arrow. */
export function toDot({ table }: DocumentedTable): string {
  const edges = table.coverage();
  const frames = framesOf(edges);
  const ends = new Set(table.states.filter((state) => !edges.some(({ from }) => from === state)));
  const lines = [
    'digraph {',
    '  graph [rankdir=TB, compound=true, bgcolor=transparent, nodesep=1.1, ranksep=0.75, pad=0.2];',
    '  node [shape=box, style="rounded,filled", margin="0.24,0.13", fontname="Helvetica,Arial,sans-serif", fontsize=14];',
    '  edge [fontname="Helvetica,Arial,sans-serif", fontsize=11, arrowsize=0.8];',
    '  start [shape=circle, style=filled, label="", width=0.16, class=start];',
    ...framed(table.states, frames, ends),
    `  start -> ${quote(table.states[0] ?? '')};`,
    ...arrowsOf(edges.filter((edge) => !frames.some((frame) => covers(frame, edge)))),
    ...frames.map(({ states, event, to }, at) => {
      const from = [...states].at(-1) ?? '';
      return `  ${quote(from)} -> ${quote(to)} [label="  ${event}\\l", ltail=cluster_${at}];`;
    }),
    '}',
  ];
  return `${lines.join('\n')}\n`;
}

/** The largest frame first, each inside the one before it: what would cross another frame is drawn arrow by arrow. */
function framesOf(edges: Edges): Frame[] {
  const candidates = new Map<string, Frame>();
  for (const { event, to } of edges) {
    const sources = edges.filter((edge) => edge.event === event && edge.to === to).map(({ from }) => from);
    const states = new Set(sources);
    if (states.size >= framedFrom && !states.has(to))
      candidates.set(JSON.stringify([event, to]), { states, event, to });
  }
  const frames: Frame[] = [];
  for (const frame of [...candidates.values()].sort((a, b) => b.states.size - a.states.size)) {
    const outer = frames.at(-1);
    const fits = outer === undefined || [...frame.states].every((state) => outer.states.has(state));
    if (fits) frames.push(frame);
  }
  return frames;
}

function covers({ states, event, to }: Frame, edge: Edges[number]): boolean {
  return edge.event === event && edge.to === to && states.has(edge.from);
}

/** Each state in the innermost frame that it belongs to. */
function framed(all: readonly string[], frames: readonly Frame[], ends: ReadonlySet<string>): string[] {
  const nodeOf = (state: string): string => `  ${quote(state)} [class=${ends.has(state) ? 'end' : 'state'}];`;
  const lines: string[] = [];
  for (const [at, frame] of frames.entries()) {
    const outside = all.filter(
      (state) => !frame.states.has(state) && (frames[at - 1]?.states.has(state) ?? true),
    );
    lines.push(...outside.map(nodeOf));
    lines.push(`  subgraph cluster_${at} {`, '  style=rounded; margin=18; class=frame;');
  }
  const innermost = frames.at(-1);
  lines.push(...all.filter((state) => innermost?.states.has(state) ?? true).map(nodeOf));
  lines.push(...frames.map(() => '  }'));
  return lines;
}

function arrowsOf(edges: Edges): string[] {
  const labels = new Map<string, string[]>();
  for (const { from, event, to } of edges) {
    const ends = `${quote(from)} -> ${quote(to)}`;
    const events = labels.get(ends) ?? [];
    events.push(event);
    labels.set(ends, events);
  }
  return [...labels].map(
    ([ends, events]) => `  ${ends} [label="${events.map((event) => `  ${event}\\l`).join('')}"];`,
  );
}

function quote(state: string): string {
  return JSON.stringify(state);
}
