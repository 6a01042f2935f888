import { present } from '@flotilla/platform';
import type { Entry, Index, Input, NodeId, PeerMessage, Ref, Term } from '@flotilla/raft';
import { CoreRun } from '../../simulation/model/core-run.ts';
import type {
  SpecAppend,
  SpecAppendResponse,
  SpecEntry,
  SpecMember,
  SpecStep,
  SpecVoteRequest,
  SpecVoteResponse,
} from './spec-trace.ts';

/** The core does something else than the specification says. */
export class Divergence extends Error {
  readonly step: number;

  constructor(step: number, action: string, what: string) {
    super(`step ${step} (${action}): ${what}`);
    this.name = 'Divergence';
    this.step = step;
  }
}

/**
 * Plays a trace of `spec/raft.qnt` to real cores and compares term, vote, role, leader, log and commit index of every
 * member after every step, and each request for a vote and each answer that a core sends. What a leader appends when is
 * the core's own choice: it must be one that the specification would allow.
 *
 * `preVote`: whether members ask who would vote for them before they stand, as the trace has it.
 *
 * Throws a {@link Divergence} at the first difference, or what the core itself throws.
 */
export function replay(steps: readonly SpecStep[], preVote = false): void {
  const [first] = steps;
  const ids = [...present(first, 'an initial state').members.keys()];
  const cluster = new ReplayedCluster(ids, preVote);
  for (const [number, step] of steps.entries()) {
    if (number > 0) cluster.play(number, present(steps[number - 1], 'a step before'), step);
    cluster.compare(number, step);
  }
}

class ReplayedCluster {
  readonly #runs: Map<number, CoreRun>;
  readonly #preVote: boolean;
  #proposed = 0;

  constructor(ids: readonly number[], preVote: boolean) {
    this.#preVote = preVote;
    const empty = { term: 0, vote: 0, commit: 0, entries: [] };
    this.#runs = new Map(ids.map((id) => [id, new CoreRun(id as NodeId, empty, ids.length, { preVote })]));
  }

  play(number: number, before: SpecStep, step: SpecStep): void {
    const { action, picks } = step;
    switch (action) {
      case 'campaign':
        this.#turn(number, before, step, picks['candidate'], { type: 'campaign' });
        return;
      case 'receivePreVote':
        this.#receive(number, before, step, voteRequest('pre-vote', picks['preVoteRequest']));
        return;
      case 'receivePreVoteResponse':
        this.#receive(number, before, step, voteResponse('pre-vote-response', picks['preVoteResponse']));
        return;
      case 'receiveVoteRequest':
        this.#receive(number, before, step, voteRequest('vote', picks['voteRequest']));
        return;
      case 'receiveVoteResponse':
        this.#receive(number, before, step, voteResponse('vote-response', picks['voteResponse']));
        return;
      case 'propose':
        this.#proposed += 1;
        this.#turn(number, before, step, picks['proposer'], {
          type: 'propose',
          ref: this.#proposed as Ref,
          payload: payloadOf(this.#proposed),
        });
        return;
      case 'receiveAppend':
        this.#receive(number, before, step, append(picks['request'] as SpecAppend));
        return;
      case 'receiveAppendResponse': {
        const response = picks['appendResponse'] as SpecAppendResponse;
        const leader = this.#run(response.to);
        const session = leader.state.progress.get(response.from as NodeId)?.session ?? 0;
        this.#receive(number, before, step, appendResponse(response, session));
        return;
      }
      case 'restart': {
        const id = picks['crashed'] as number;
        const commit = picks['recorded'] as number;
        const { disk } = this.#run(id);
        this.#runs.set(
          id,
          new CoreRun(id as NodeId, { ...disk, commit }, this.#runs.size, { preVote: this.#preVote }),
        );
        return;
      }
      // The specification's leaders send and its network loses: nothing happens in a core.
      case 'sendAppend':
      case 'lose':
        return;
      default:
        throw new Divergence(number, action, 'no core can do that');
    }
  }

  compare(number: number, { action, members }: SpecStep): void {
    for (const [id, member] of members) {
      const core = observed(this.#run(id));
      for (const field of ['term', 'vote', 'role', 'leader', 'commit', 'log'] as const) {
        const [found, wanted] = [textOf(core[field]), textOf(member[field])];
        if (found === wanted) continue;
        const text = `member ${id} has ${field} ${found}, the specification says ${wanted}`;
        throw new Divergence(number, action, text);
      }
    }
  }

  #run(id: unknown): CoreRun {
    return present(this.#runs.get(id as number), `a member ${String(id)}`);
  }

  #receive(number: number, before: SpecStep, step: SpecStep, message: PeerMessage): void {
    this.#turn(number, before, step, message.to, { type: 'receive', message });
  }

  #turn(number: number, before: SpecStep, step: SpecStep, id: unknown, input: Input): void {
    const run = this.#run(id);
    run.turn(input);
    const said = new Set(run.sent.map((message) => told(message, step)).filter((text) => text !== null));
    const allowed = new Set(wordsOf(step));
    for (const text of said) {
      if (!allowed.has(text)) {
        throw new Divergence(
          number,
          step.action,
          `member ${run.id} says ${text}, the specification does not`,
        );
      }
    }
    const known = new Set(wordsOf(before));
    for (const text of allowed) {
      if (!known.has(text) && !said.has(text)) {
        throw new Divergence(
          number,
          step.action,
          `member ${run.id} does not say ${text}, the specification does`,
        );
      }
    }
  }
}

/** What the specification compares of a core. */
function observed({ state, disk }: CoreRun): SpecMember {
  return {
    term: state.term,
    vote: state.vote,
    role: state.role,
    leader: state.leader,
    commit: state.log.commit,
    log: disk.entries.map(specEntry),
  };
}

function specEntry({ term, kind, payload }: Entry): SpecEntry {
  return { term, value: kind === 'no-op' ? 0 : (payload[0] ?? 0) };
}

/** All requests for votes and answers that are on their way. */
function wordsOf(step: SpecStep): readonly string[] {
  const said = (type: string, messages: readonly unknown[]): readonly string[] =>
    messages.map((message) => `${type} ${textOf(message)}`);
  return [
    ...said('pre-vote', step.preVoteRequests),
    ...said('pre-vote-response', step.preVoteResponses),
    ...said('vote', step.voteRequests),
    ...said('vote-response', step.voteResponses),
    ...said('append-response', step.appendResponses),
  ];
}

/** The same of a core; null: of an append, whose time is the core's to choose. */
function told(message: PeerMessage, step: SpecStep): string | null {
  const { type, from, to, term } = message;
  if (message.type === 'vote' || message.type === 'pre-vote') {
    const { lastIndex, lastTerm } = message;
    return `${type} ${textOf({ from, to, term, lastIndex, lastTerm })}`;
  }
  if (message.type === 'vote-response' || message.type === 'pre-vote-response') {
    const { granted, commit, commitTerm } = message;
    return `${type} ${textOf({ from, to, term, granted, commit, commitTerm })}`;
  }
  if (message.type === 'append-response') {
    const { index, rejected } = message;
    return `${type} ${textOf({ from, to, term, index, rejected })}`;
  }
  if (message.type !== 'append') return `a ${type}`;
  return isAllowed(message, present(step.members.get(from), 'a leader')) ? null : `append ${textOf(message)}`;
}

/** Whether `sendAppend` of the specification could say this in the leader's state after the step. */
function isAllowed(message: Extract<PeerMessage, { type: 'append' }>, leader: SpecMember): boolean {
  const { term, previousIndex, previousTerm, entries, commit } = message;
  const part = leader.log.slice(previousIndex, previousIndex + entries.length);
  return (
    leader.role === 'leader' &&
    term === leader.term &&
    previousIndex <= leader.log.length &&
    previousTerm === (previousIndex === 0 ? 0 : leader.log[previousIndex - 1]?.term) &&
    textOf(entries.map(specEntry)) === textOf(part) &&
    commit <= leader.commit
  );
}

function voteRequest(type: 'pre-vote' | 'vote', request: unknown): PeerMessage {
  const { from, to, term, lastIndex, lastTerm } = request as SpecVoteRequest;
  const addressed = addressedOf(from, to, term);
  return { type, ...addressed, lastIndex: lastIndex as Index, lastTerm: lastTerm as Term, forced: false };
}

function voteResponse(type: 'pre-vote-response' | 'vote-response', response: unknown): PeerMessage {
  const { from, to, term, granted, commit, commitTerm } = response as SpecVoteResponse;
  const addressed = addressedOf(from, to, term);
  return { type, ...addressed, granted, commit: commit as Index, commitTerm: commitTerm as Term };
}

function append({ from, to, term, previousIndex, previousTerm, entries, commit }: SpecAppend): PeerMessage {
  return {
    type: 'append',
    ...addressedOf(from, to, term),
    session: 1,
    previousIndex: previousIndex as Index,
    previousTerm: previousTerm as Term,
    entries: entries.map((entry, at) => coreEntry(entry, previousIndex + at + 1)),
    commit: commit as Index,
    topPriority: PRIORITY,
  };
}

/** Which sessions there are, and how far a refusal takes a leader back, the specification leaves to the core. */
function appendResponse(
  { from, to, term, index, rejected }: SpecAppendResponse,
  session: number,
): PeerMessage {
  return {
    type: 'append-response',
    ...addressedOf(from, to, term),
    session,
    index: index as Index,
    rejected,
    hintIndex: (rejected ? index - 1 : 0) as Index,
    hintTerm: 0 as Term,
    commit: 0 as Index,
    priority: PRIORITY,
  };
}

const PRIORITY = 100;

function addressedOf(from: number, to: number, term: number): { from: NodeId; to: NodeId; term: Term } {
  return { from: from as NodeId, to: to as NodeId, term: term as Term };
}

function coreEntry({ term, value }: SpecEntry, index: number): Entry {
  const kind = value === 0 ? 'no-op' : 'command';
  return {
    term: term as Term,
    index: index as Index,
    kind,
    payload: value === 0 ? new Uint8Array(0) : payloadOf(value),
  };
}

function payloadOf(value: number): Uint8Array {
  return Uint8Array.of(value);
}

/** One text for equal values: fields by name. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, its: unknown) =>
    typeof its === 'object' && its !== null && !Array.isArray(its)
      ? Object.fromEntries(Object.entries(its).sort(([a], [b]) => (a < b ? -1 : 1)))
      : its,
  );
}
