interface Trace {
  readonly states: readonly Readonly<Record<string, unknown>>[];
}

/** What is compared with a core, and what leads from state to state. */
const kept = [
  'mbt::actionTaken',
  'members',
  'preVoteRequests',
  'preVoteResponses',
  'voteRequests',
  'voteResponses',
  'appendResponses',
];

/** Of some traces the one in which most is committed, without what a replay does not look at. */
export function recordable(traces: readonly unknown[]): Trace {
  const [best] = [...(traces as readonly Trace[])].sort((a, b) => committedIn(b) - committedIn(a));
  if (best === undefined) throw new Error('there is no trace to record');
  const text = JSON.stringify({ states: best.states.map(recordedState) });
  return JSON.parse(text, shortInteger) as Trace;
}

function committedIn({ states }: Trace): number {
  const committed = states.at(-1)?.['committed'];
  return Array.isArray(committed) ? committed.length : 0;
}

function recordedState(state: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const picks = Object.entries(
    state['mbt::nondetPicks'] as Readonly<Record<string, { readonly tag: string }>>,
  );
  return {
    ...Object.fromEntries(kept.map((name) => [name, state[name]])),
    'mbt::nondetPicks': Object.fromEntries(picks.filter(([, { tag }]) => tag === 'Some')),
  };
}

/** The format lets small integers be numbers. */
function shortInteger(_name: string, value: unknown): unknown {
  const isInteger = typeof value === 'object' && value !== null && '#bigint' in value;
  return isInteger ? Number(value['#bigint']) : value;
}
