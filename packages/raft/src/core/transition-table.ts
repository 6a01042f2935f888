import { assert } from '@flotilla/platform';

/** For each state, the events that it may meet and the state that each leads to. */
export type TransitionLiteral = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** The names of the states of a literal. */
export type StateOf<Literal extends TransitionLiteral> = Extract<keyof Literal, string>;

/** The names of the events of a literal, of whatever state. */
export type EventOf<Literal extends TransitionLiteral> = {
  [State in keyof Literal]: Extract<keyof Literal[State], string>;
}[keyof Literal];

/** One legal transition and how often it was taken in this process. */
export interface TransitionCount {
  readonly from: string;
  readonly event: string;
  readonly to: string;
  readonly count: number;
}

/**
 * A life cycle, declared once: the literal gives the types, the check at run time, the coverage and the diagram. The
 * table owns *which* changes are legal; when they happen stays in the code that fires the events.
 *
 * @example
 * const door = transitionTable('door', { open: { close: 'closed' }, closed: { open: 'open' } });
 * door.fire('open', 'close'); // 'closed'
 * door.fire('closed', 'close'); // throws FLOTILLA_ASSERTION
 */
export interface TransitionTable<Literal extends TransitionLiteral> {
  readonly name: string;
  readonly states: readonly StateOf<Literal>[];
  /** The next state. An event that the state does not know is a bug: it throws `FLOTILLA_ASSERTION`. */
  fire(from: StateOf<Literal>, event: EventOf<Literal>): StateOf<Literal>;
  /** Every legal transition in the order of the literal, with its count. */
  coverage(): readonly TransitionCount[];
  /** Counts from 0 again, as at the start of a test. */
  resetCoverage(): void;
  /** A Mermaid `stateDiagram-v2`; the first state of the literal is where it starts. */
  toMermaid(): string;
}

/** Makes a {@link TransitionTable}; every target must be a state of the literal. */
export function transitionTable<const Literal extends TransitionLiteral>(
  name: string,
  literal: Literal & TargetsAreStates<Literal>,
): TransitionTable<Literal> {
  return new Table<Literal>(name, literal);
}

type TargetsAreStates<Literal extends TransitionLiteral> = Readonly<
  Record<string, Readonly<Record<string, keyof Literal>>>
>;

interface Edge {
  readonly from: string;
  readonly event: string;
  readonly to: string;
  count: number;
}

class Table<Literal extends TransitionLiteral> implements TransitionTable<Literal> {
  readonly name: string;
  readonly states: readonly StateOf<Literal>[];
  readonly #edges: Edge[] = [];
  readonly #edgesOfState = new Map<string, Map<string, Edge>>();

  constructor(name: string, literal: Literal) {
    this.name = name;
    this.states = Object.keys(literal) as StateOf<Literal>[];
    for (const [from, events] of Object.entries(literal)) {
      const edges = new Map<string, Edge>();
      for (const [event, to] of Object.entries(events)) {
        assert(to in literal, () => `${name}: ${from} --${event}--> ${to}, which is not a state`);
        const edge = { from, event, to, count: 0 };
        edges.set(event, edge);
        this.#edges.push(edge);
      }
      this.#edgesOfState.set(from, edges);
    }
  }

  fire(from: StateOf<Literal>, event: EventOf<Literal>): StateOf<Literal> {
    const edge = this.#edgesOfState.get(from)?.get(event);
    assert(edge !== undefined, () => `${this.name}: no transition from ${from} on ${event}`);
    edge.count += 1;
    return edge.to as StateOf<Literal>;
  }

  coverage(): readonly TransitionCount[] {
    return this.#edges.map((edge) => ({ ...edge }));
  }

  resetCoverage(): void {
    for (const edge of this.#edges) edge.count = 0;
  }

  toMermaid(): string {
    const lines = ['stateDiagram-v2', `  [*] --> ${mermaidId(this.states[0] ?? '')}`];
    for (const { from, event, to } of this.#edges) {
      lines.push(`  ${mermaidId(from)} --> ${mermaidId(to)}: ${event}`);
    }
    return `${lines.join('\n')}\n`;
  }
}

/** Mermaid takes no hyphens in the names of states. */
function mermaidId(state: string): string {
  return state.replaceAll('-', '_');
}
