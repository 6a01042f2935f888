import { startCampaign } from './election.ts';
import { isVoter, voteResult } from './quorum.ts';
import { broadcastHeartbeat } from './reading.ts';
import { handleUnreachable, isBehind, remind, wake } from './replication.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import { endTransfer, handToPreferred, preferredSuccessor } from './transferring.ts';
import { leaderIsTrusted } from './trust.ts';
import type { NodeId, Term } from './types.ts';

/**
 * Who is believed alive, and what follows from it. Two sources: `ticks`, where every group counts ticks between
 * messages of its leader, as in the paper; and `peers`, where the host watches one connection per pair of nodes for
 * all groups, so that an idle group has neither timer nor messages.
 */
export function tick(state: CoreState): void {
  if (state.restTicks > 0) state.restTicks -= 1;
  if (state.role === 'leader') tickLeader(state);
  else tickElection(state);
}

function tickElection(state: CoreState): void {
  if (leaderIsTrusted(state)) return;
  state.electionElapsed += 1;
  if (state.electionElapsed < state.electionTimeout || !mayCampaignByItself(state)) return;
  state.electionElapsed = 0;
  startCampaign(state, state.config.preVote ? 'pre-election' : 'election');
}

/** Members of priority 0 wait for others; one that resigned lets them go first. */
function mayCampaignByItself(state: CoreState): boolean {
  return state.promotable && state.restTicks === 0 && isWilling(state);
}

function isWilling(state: CoreState): boolean {
  return state.config.priority > 0 || state.calledUpon;
}

function tickLeader(state: CoreState): void {
  state.heartbeatElapsed += 1;
  state.electionElapsed += 1;
  if (state.electionElapsed >= state.config.electionTicks) {
    state.electionElapsed = 0;
    checkQuorum(state);
    if (state.role !== 'leader') return;
    // A transferee that has not won by now will not: take proposals again.
    if (state.transferee !== nobody) endTransfer(state);
    else handToPreferred(state);
  }
  if (state.heartbeatElapsed < state.config.heartbeatTicks) return;
  state.heartbeatElapsed = 0;
  if (state.config.liveness === 'ticks') {
    broadcastHeartbeat(state);
    return;
  }
  if (state.reads.round !== null) broadcastHeartbeat(state);
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id && progress.active && isBehind(state, progress)) remind(state, progress);
  }
}

function checkQuorum(state: CoreState): void {
  if (!state.config.checkQuorum) return;
  if (!hasActiveQuorum(state)) {
    state.becomeFollower('lose-quorum', state.term, nobody);
    return;
  }
  if (state.config.liveness === 'peers') return;
  for (const progress of state.progress.values()) progress.active = progress.id === state.id;
}

function hasActiveQuorum(state: CoreState): boolean {
  const active = new Map<NodeId, boolean>();
  for (const progress of state.progress.values()) active.set(progress.id, progress.active);
  return voteResult(state.configuration, active) === 'won';
}

export function peerAlive(state: CoreState, peer: NodeId, leadsTerm: Term | null): void {
  const before = state.alive.get(peer);
  state.alive.set(peer, leadsTerm);
  if (state.role === 'leader') {
    const progress = state.progress.get(peer);
    if (progress === undefined || peer === state.id) return;
    progress.active = true;
    if (before === undefined) wake(state, progress);
    return;
  }
  if (peer === state.leader) {
    if (leadsTerm === state.term) state.electionElapsed = 0;
    else if (before === state.term) leaderLost(state);
    return;
  }
  // Its own word that it leads in our term: nobody else can.
  if (leadsTerm === state.term && state.leader === nobody)
    state.becomeFollower('leader-seen', state.term, peer);
}

export function peerSilent(state: CoreState, peer: NodeId): void {
  state.alive.delete(peer);
  if (state.role === 'leader') {
    const progress = state.progress.get(peer);
    if (progress === undefined || peer === state.id) return;
    progress.active = false;
    handleUnreachable(state, peer);
    // It can commit nothing any more, and whoever still hears it would wait for it in vain.
    if (state.config.checkQuorum && !hasActiveQuorum(state)) {
      state.becomeFollower('lose-quorum', state.term, nobody);
    }
  } else if (peer === state.leader) {
    leaderLost(state);
  }
}

/**
 * The leader is gone: its connection broke, it was silent for an election time-out, or it says that it leads no longer.
 * Waiting is over, only collisions are to be avoided: survivors campaign after a short random delay.
 */
function leaderLost(state: CoreState): void {
  state.leader = nobody;
  const delay = 1 + state.random.below(Math.max(1, state.config.electionTicks >> 1)) + state.handicap;
  if (state.electionTimeout - state.electionElapsed <= delay) return;
  state.electionElapsed = 0;
  state.electionTimeout = delay;
}

function waitsForElection(state: CoreState): boolean {
  if (leaderIsTrusted(state)) return false;
  // Until it gives up a leader of whom nothing is heard it is deaf to candidates, voter or not.
  if (state.leader !== nobody && state.electionElapsed < state.config.electionTicks) return true;
  return isWilling(state) && isVoter(state.configuration, state.id);
}

/** Whether ticks could make this member do anything. */
export function wantsTicks(state: CoreState): boolean {
  if (state.config.liveness === 'ticks') return true;
  if (state.restTicks > 0) return true;
  if (state.role !== 'leader') return waitsForElection(state);
  if (state.reads.round !== null || state.transferee !== nobody) return true;
  if (preferredSuccessor(state) !== null) return true;
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id && progress.active && isBehind(state, progress)) return true;
  }
  return !hasActiveQuorum(state);
}
