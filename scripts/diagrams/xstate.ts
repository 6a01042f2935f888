import type { DocumentedTable } from './tables.ts';

/** What `createMachine` of XState takes: states and events of the table, no actions, guards or context. */
export interface MachineConfig {
  readonly id: string;
  readonly initial: string;
  readonly states: Readonly<Record<string, StateConfig>>;
}

interface StateConfig {
  readonly description: string;
  readonly type?: 'final';
  readonly on?: Readonly<Record<string, { readonly target: string; readonly description: string }>>;
}

/** Load it with `createMachine`, look at it in any editor for XState, or drive tests with it. */
export function toXState({ file, table, states, events }: DocumentedTable): MachineConfig {
  const edges = table.coverage();
  const configOf = (state: string): StateConfig => {
    const description = states[state] ?? '';
    const outgoing = edges.filter(({ from }) => from === state);
    if (outgoing.length === 0) return { description, type: 'final' };
    const on = outgoing.map(
      ({ event, to }) => [event, { target: to, description: events[event] ?? '' }] as const,
    );
    return { description, on: Object.fromEntries(on) };
  };
  return {
    id: file,
    initial: table.states[0] ?? '',
    states: Object.fromEntries(table.states.map((state) => [state, configOf(state)])),
  };
}
