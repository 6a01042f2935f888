import type { Progress } from './progress.ts';
import { voteResult } from './quorum.ts';
import type { PendingRead, ReadRound } from './read-rounds.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import type { Index, NodeId, PeerMessage, Ref } from './types.ts';

/** A read of this member's own host: answered here by a leader, else sent on to the leader. */
export function read(state: CoreState, ref: Ref, policy: 'read-index' | 'lease'): void {
  if (state.role === 'leader') {
    if (policy === 'lease' && leaseServes(state)) {
      state.outbox.settle({ type: 'readable', ref, index: state.log.commit });
      return;
    }
    if (!addRead(state, { from: nobody, ref, incarnation: 0 })) state.outbox.refuse(ref, 'not-ready');
    return;
  }
  const { id, leader, term, config } = state;
  if (leader === nobody) {
    state.outbox.refuse(ref, 'no-leader');
    return;
  }
  state.outbox.send({ type: 'read-index', from: id, to: leader, term, ref, incarnation: config.incarnation });
  state.outbox.settle({ type: 'read-forwarded', ref, to: leader });
}

/**
 * Whether a lease that the host vouches for is worth anything: it says that nobody else was elected, by followers who
 * keep deaf to candidates, so not once this leader has asked somebody to campaign (etcd-io/etcd #12704).
 */
function leaseServes(state: CoreState): boolean {
  return state.committedInTerm && state.transferee === nobody && !state.leaseGivenUp;
}

/** A read that a follower sent on. Where nobody leads it ends: the asker asks again when it knows a leader. */
export function handleReadIndex(
  state: CoreState,
  message: Extract<PeerMessage, { type: 'read-index' }>,
): void {
  if (state.role !== 'leader') return;
  if (state.config.replay?.leaseByQuorumCheck === true && state.committedInTerm) {
    const { from, ref, incarnation } = message;
    answerRead(state, { from, ref, incarnation }, state.log.commit);
    return;
  }
  addRead(state, { from: message.from, ref: message.ref, incarnation: message.incarnation });
}

export function handleReadIndexResponse(
  state: CoreState,
  message: Extract<PeerMessage, { type: 'read-index-response' }>,
): void {
  // An answer to a question of an earlier life, with a number that this life may have used again.
  if (message.incarnation !== state.config.incarnation) return;
  state.outbox.settle({ type: 'readable', ref: message.ref, index: message.index });
}

function addRead(state: CoreState, pending: PendingRead): boolean {
  if (state.reads.pending >= state.config.maxPendingReads) return false;
  state.reads.add(pending);
  return true;
}

/** Whether a round can start: reads wait, none is out, and the leader knows what is committed. */
export function readRoundDue(state: CoreState): boolean {
  return state.reads.waiting > 0 && state.reads.round === null && state.committedInTerm;
}

/** Once per drain, so that all reads of a turn share a round. */
export function startReadRound(state: CoreState): void {
  const round = state.reads.begin(state.id, state.log.commit);
  // The only voter needs nobody else to confirm it. (It may be another one than this leader.)
  if (voteResult(state.configuration, round.confirmed) === 'won') finishRound(state, round);
  else broadcastHeartbeat(state);
}

/** A follower still knew this leader as its leader after the round began. */
export function confirmReads(state: CoreState, from: NodeId, readSequence: number): void {
  const { round } = state.reads;
  if (round === null || readSequence !== round.sequence) return;
  round.confirmed.set(from, true);
  if (voteResult(state.configuration, round.confirmed) === 'won') finishRound(state, round);
}

/** The voters have changed: those who are still asked may be gone, and the others enough. */
export function recountReads(state: CoreState): void {
  const { round } = state.reads;
  if (round !== null && voteResult(state.configuration, round.confirmed) === 'won') finishRound(state, round);
}

function finishRound(state: CoreState, round: ReadRound): void {
  state.reads.finish();
  for (const pending of round.reads) answerRead(state, pending, round.index);
}

function answerRead(state: CoreState, pending: PendingRead, index: Index): void {
  const { ref, incarnation } = pending;
  if (pending.from === nobody) {
    state.outbox.settle({ type: 'readable', ref, index });
    return;
  }
  const { id, term } = state;
  state.outbox.send({
    type: 'read-index-response',
    from: id,
    to: pending.from,
    term,
    ref,
    incarnation,
    index,
  });
}

export function broadcastHeartbeat(state: CoreState): void {
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id) sendHeartbeat(state, progress);
  }
}

export function sendHeartbeat(state: CoreState, progress: Progress): void {
  // Never more than the follower is known to hold: it takes the commit index without looking at its log.
  const commit = Math.min(progress.match, state.log.commit) as Index;
  state.outbox.send({
    type: 'heartbeat',
    from: state.id,
    to: progress.id,
    term: state.term,
    commit,
    readSequence: state.reads.round?.sequence ?? 0,
  });
  progress.sentCommit(commit);
}
