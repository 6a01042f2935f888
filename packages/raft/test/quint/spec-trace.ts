import { itfValue, type ItfValue } from './itf.ts';

/** What `spec/raft.qnt` says of a member. The names are the specification's. */
export interface SpecMember {
  readonly term: number;
  readonly vote: number;
  readonly role: string;
  readonly leader: number;
  readonly log: readonly SpecEntry[];
  readonly commit: number;
}

export interface SpecEntry {
  readonly term: number;
  /** 0: a no-op. */
  readonly value: number;
}

export interface SpecVoteRequest {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly lastIndex: number;
  readonly lastTerm: number;
}

export interface SpecVoteResponse {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly granted: boolean;
  readonly commit: number;
  readonly commitTerm: number;
}

export interface SpecAppend {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly previousIndex: number;
  readonly previousTerm: number;
  readonly entries: readonly SpecEntry[];
  readonly commit: number;
}

export interface SpecAppendResponse {
  readonly from: number;
  readonly to: number;
  readonly term: number;
  readonly index: number;
  readonly rejected: boolean;
}

/** A step of the specification: its action, what it drew, and the state after it. */
export interface SpecStep {
  readonly action: string;
  readonly picks: Readonly<Record<string, unknown>>;
  readonly members: ReadonlyMap<number, SpecMember>;
  readonly preVoteRequests: readonly SpecVoteRequest[];
  readonly preVoteResponses: readonly SpecVoteResponse[];
  readonly voteRequests: readonly SpecVoteRequest[];
  readonly voteResponses: readonly SpecVoteResponse[];
  readonly appendResponses: readonly SpecAppendResponse[];
}

/** The steps of a trace that `quint run --mbt --out-itf` has written, the initial state first. */
export function specTrace(json: unknown): readonly SpecStep[] {
  const { states } = json as { readonly states?: readonly Readonly<Record<string, unknown>>[] };
  if (!Array.isArray(states) || states.length === 0) throw new Error('a trace has states');
  return (states as readonly Readonly<Record<string, unknown>>[]).map((state) => {
    const action = state['mbt::actionTaken'];
    if (typeof action !== 'string' || action === '') throw new Error('a trace names its actions: --mbt');
    return {
      action,
      picks: picksOf(itfValue(state['mbt::nondetPicks'])),
      members: new Map(itfValue(state['members']) as unknown as [number, SpecMember][]),
      preVoteRequests: itfValue(state['preVoteRequests']) as unknown as SpecVoteRequest[],
      preVoteResponses: itfValue(state['preVoteResponses']) as unknown as SpecVoteResponse[],
      voteRequests: itfValue(state['voteRequests']) as unknown as SpecVoteRequest[],
      voteResponses: itfValue(state['voteResponses']) as unknown as SpecVoteResponse[],
      appendResponses: itfValue(state['appendResponses']) as unknown as SpecAppendResponse[],
    };
  });
}

/** Of each name that was drawn for this step, what was drawn. */
function picksOf(value: ItfValue): Readonly<Record<string, unknown>> {
  const options = Object.entries(value) as unknown as [
    string,
    { readonly tag: string; readonly value: unknown },
  ][];
  return Object.fromEntries(
    options.filter(([, { tag }]) => tag === 'Some').map(([name, its]) => [name, its.value]),
  );
}
