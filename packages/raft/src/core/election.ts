import { present } from '@flotilla/platform';
import { appendOwn, broadcastAppend } from './replication.ts';
import { voteResult, votersOf } from './quorum.ts';
import { reaches } from './raft-log.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import { leaderIsAlive } from './trust.ts';
import type { Index, NodeId, PeerMessage, Term } from './types.ts';

export type Campaign = 'pre-election' | 'election' | 'transfer';

type VoteRequest = Extract<PeerMessage, { type: 'pre-vote' | 'vote' }>;
type VoteResponse = Extract<PeerMessage, { type: 'pre-vote-response' | 'vote-response' }>;

const emptyPayload = new Uint8Array(0);

/** Tries to become leader, if this member may. */
export function startCampaign(state: CoreState, campaign: Campaign): void {
  if (state.role === 'leader' || !state.promotable || missesMembership(state)) return;
  runCampaign(state, campaign);
}

/**
 * Whether a committed membership change is not applied here: the configuration in force is not known then, and a
 * quorum of the wrong one could elect a second leader.
 */
function missesMembership(state: CoreState): boolean {
  const first = state.membership[0];
  return first !== undefined && first.index <= state.log.commit;
}

function runCampaign(state: CoreState, campaign: Campaign): void {
  const pre = campaign === 'pre-election';
  if (pre) state.becomePreCandidate();
  else state.becomeCandidate();
  const { log } = state;
  for (const id of votersOf(state.configuration)) {
    if (id === state.id) continue;
    const request: VoteRequest = {
      type: pre ? 'pre-vote' : 'vote',
      from: state.id,
      to: id,
      // A pre-vote asks about the term that it would campaign in.
      term: (pre ? state.term + 1 : state.term) as Term,
      lastIndex: log.last,
      lastTerm: log.lastTerm,
      forced: campaign === 'transfer',
    };
    // A request for votes says what this log holds and that this term is taken. A crash must not make that untrue:
    // grants of the first life could elect the second with a shorter log.
    if (pre) state.outbox.send(request);
    else state.outbox.promise(request);
  }
  // The own vote counts when it is durable (see `ownVoteDurable`); a pre-vote promises nothing. (In etcd-io/raft it
  // counts when the batch is written.)
  if (pre && state.config.replay === undefined) countVote(state, state.id, true);
}

/** The record with this term and this member's vote for itself is durable. */
export function ownVoteDurable(state: CoreState): void {
  countVote(state, state.id, true);
}

export function handleVoteRequest(state: CoreState, message: VoteRequest): void {
  const pre = message.type === 'pre-vote';
  const mayVote =
    state.vote === message.from ||
    (state.vote === nobody && state.leader === nobody) ||
    (pre && message.term > state.term);
  const isUpToDate = state.log.isUpToDate(message.lastIndex, message.lastTerm);
  const upToDate = isUpToDate && hasFormer(state, message);
  const granted = mayVote && upToDate;
  if (!upToDate && (state.leader === nobody || !leaderIsAlive(state))) callUpon(state);
  state.outbox.promise({
    type: pre ? 'pre-vote-response' : 'vote-response',
    from: state.id,
    to: message.from,
    // A granted pre-vote answers about the term asked for. A refusal carries our own, which the other one may have
    // to adopt: without it a healed group can deadlock (etcd-io/etcd #8501).
    term: granted ? message.term : state.term,
    granted,
    ...knownCommit(state),
  });
  if (granted && !pre) {
    state.electionElapsed = 0;
    state.vote = message.from;
  }
}

/** Whether a candidate has what this member had in an earlier log, and may have promised to keep. */
function hasFormer({ former }: CoreState, { lastTerm, lastIndex }: VoteRequest): boolean {
  return former === null || reaches({ term: lastTerm, index: lastIndex }, former);
}

/**
 * A member of less priority that stands in the way of those who want to lead, because their logs lack what it has, has
 * to lead for a moment itself: soon, since their next try would start its time-out anew. It hands over afterwards.
 */
function callUpon(state: CoreState): void {
  if (state.config.priority > 0 && state.handicap === 0) return;
  state.calledUpon = true;
  const soon = state.electionElapsed + 1 + state.random.below(state.config.electionTicks);
  state.electionTimeout = Math.min(state.electionTimeout, soon);
}

/** Refuses a pre-vote for a term that has passed, so that the asker learns the term. */
export function refuseStalePreVote(state: CoreState, to: NodeId): void {
  state.outbox.promise({
    type: 'pre-vote-response',
    from: state.id,
    to,
    term: state.term,
    granted: false,
    ...knownCommit(state),
  });
}

function knownCommit({ log }: CoreState): { readonly commit: Index; readonly commitTerm: Term } {
  return { commit: log.commit, commitTerm: present(log.termAt(log.commit), 'the term of what is committed') };
}

/**
 * Whoever answers may know more than the candidate about what both have: that a change is committed, by which the ones
 * that refuse it have no vote any more. Without a word of it they would refuse for ever, and lead never.
 */
export function learnCommit(state: CoreState, message: VoteResponse): void {
  const { log } = state;
  if (message.granted || message.commit <= log.commit || state.role === 'leader') return;
  if (state.config.replay !== undefined || !log.matches(message.commit, message.commitTerm)) return;
  log.commitTo(message.commit);
  // It is counting votes in a configuration of the past.
  if (state.role !== 'follower' && missesMembership(state)) state.becomeFollower('lose', state.term, nobody);
}

/** Whether a leader that is believed alive makes this member deaf to other candidates (§4.2.3 of the dissertation). */
export function isSticky(state: CoreState, message: VoteRequest): boolean {
  if (!state.config.checkQuorum || message.forced || state.leader === nobody) return false;
  // A leader that asks for votes leads no longer. (etcd-io/raft waits for its lease to end all the same.)
  if (state.leader === message.from && state.config.replay === undefined) return false;
  return leaderIsAlive(state);
}

export function handleVoteResponse(state: CoreState, message: VoteResponse): void {
  const expected = state.role === 'pre-candidate' ? 'pre-vote-response' : 'vote-response';
  if (message.type === expected) countVote(state, message.from, message.granted);
}

function countVote(state: CoreState, from: NodeId, granted: boolean): void {
  // The first answer counts: the network may deliver it twice.
  if (!state.votes.has(from)) state.votes.set(from, granted);
  const result = voteResult(state.configuration, state.votes);
  if (result === 'lost') {
    state.becomeFollower('lose', state.term, nobody);
  } else if (result === 'won') {
    if (state.role === 'pre-candidate') runCampaign(state, 'election');
    else lead(state);
  }
}

function lead(state: CoreState): void {
  state.becomeLeader();
  // Entries of earlier terms are committed by this one (§5.4.2), and reads wait for it.
  appendOwn(state, 'no-op', emptyPayload);
  broadcastAppend(state);
}
