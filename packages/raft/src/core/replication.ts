import { assert, present } from '@flotilla/platform';
import { payloadBytes } from './entry-cache.ts';
import type { Progress } from './progress.ts';
import { committedIndex } from './quorum.ts';
import type { CoreState } from './state.ts';
import type { Entry, EntryKind, Index, NodeId, PeerMessage, Ref } from './types.ts';

const noEntries: readonly Entry[] = [];

/** Appends to the leader's own log. Followers are told by {@link broadcastAppend}. */
export function appendOwn(state: CoreState, kind: EntryKind, payload: Uint8Array): Index {
  const index = (state.log.last + 1) as Index;
  const entry: Entry = { term: state.term, index, kind, payload };
  state.log.append(entry);
  if (kind === 'membership') state.membership.push(entry);
  return index;
}

/**
 * Tells every follower what was appended or committed. One append for all that a drain found, unless the
 * configuration asks for etcd's one per cause.
 */
export function broadcastAppend(state: CoreState): void {
  if (state.config.eagerBroadcast !== true) {
    state.broadcastDue = true;
    return;
  }
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id) sendAppend(state, progress, true);
  }
}

/** New members need not wait for the next proposal to hear of this leader. */
export function probeNewMembers(state: CoreState): void {
  if (state.config.eagerBroadcast !== true) {
    state.broadcastDue = true;
    return;
  }
  for (const progress of state.progress.values()) {
    if (progress.id !== state.id) sendAppend(state, progress, false);
  }
}

/** The deferred part of {@link broadcastAppend}, once per drain. */
export function flushBroadcast(state: CoreState): void {
  state.broadcastDue = false;
  for (const progress of state.progress.values()) {
    if (progress.id === state.id) continue;
    const tellCommit = progress.canBumpCommit(state.log.commit);
    if (!sendAppend(state, progress, tellCommit)) continue;
    fillWindow(state, progress);
  }
}

/** As many appends as the window takes: an answer may have freed several places. */
function fillWindow(state: CoreState, progress: Progress): void {
  while (sendAppend(state, progress, false));
}

/** One append, or the start of a snapshot. False: nothing was sent. */
export function sendAppend(state: CoreState, progress: Progress, evenIfEmpty: boolean): boolean {
  if (progress.paused || progress.reading !== 0) return false;
  const { log } = state;
  const previousIndex = (progress.next - 1) as Index;
  const previousTerm = log.termAt(previousIndex);
  if (previousTerm === null) return requestSnapshot(state, progress);
  let entries = noEntries;
  // In a full window only empty appends go, to find out whether everything in it was lost.
  const room = progress.state !== 'replicate' || !progress.windowFull;
  if (room && progress.next <= log.last) {
    const found = log.slice(progress.next, log.last + 1, state.config.maxMessageBytes);
    if (found === null) return readForPeer(state, progress);
    entries = found;
  }
  if (entries.length === 0 && !evenIfEmpty) return false;
  emitAppend(state, progress, entries);
  return true;
}

function emitAppend(state: CoreState, progress: Progress, entries: readonly Entry[]): void {
  const previousIndex = (progress.next - 1) as Index;
  const { commit } = state.log;
  state.outbox.send({
    type: 'append',
    from: state.id,
    to: progress.id,
    term: state.term,
    session: progress.session,
    previousIndex,
    previousTerm: present(state.log.termAt(previousIndex), 'the term before an append'),
    entries,
    commit,
    topPriority: state.topPriority,
  });
  progress.sentEntries(entries.length, payloadBytes(entries));
  progress.sentCommit(commit);
}

/** The entries are not in memory: the append goes when {@link peerLogRead} brings them. */
function readForPeer(state: CoreState, progress: Progress): false {
  const { log } = state;
  const ref = state.nextLogRead();
  progress.reading = ref;
  state.outbox.readLog({
    ref,
    from: progress.next,
    to: (Math.min(log.last, log.durable) + 1) as Index,
    maxBytes: state.config.maxMessageBytes,
  });
  return false;
}

/** Answers {@link readForPeer}. False: the read was not for a peer, or nobody waits for it any more. */
export function peerLogRead(state: CoreState, ref: Ref, result: readonly Entry[] | 'compacted'): boolean {
  for (const progress of state.progress.values()) {
    if (progress.reading !== ref) continue;
    progress.reading = 0 as Ref;
    const first = result === 'compacted' ? undefined : result[0];
    const wanted = first !== undefined && first.index === progress.next && !progress.paused;
    const room = progress.state !== 'replicate' || !progress.windowFull;
    if (wanted && room && state.log.termAt(first.index - 1) !== null) {
      emitAppend(state, progress, checkedEntries(state, result as readonly Entry[]));
    } else if (result === 'compacted') {
      requestSnapshot(state, progress);
      return true;
    } else {
      sendAppend(state, progress, false);
    }
    fillWindow(state, progress);
    return true;
  }
  return false;
}

/** What was read back must be what the log says it is. */
export function checkedEntries(state: CoreState, entries: readonly Entry[]): readonly Entry[] {
  let expected = present(entries[0], 'the first entry that was read').index as number;
  for (const entry of entries) {
    assert(
      entry.index === expected && state.log.termAt(expected) === entry.term,
      () =>
        `entry ${entry.term}/${entry.index} was read where the log has ${state.log.termAt(expected)}/${expected}`,
    );
    expected += 1;
  }
  return entries;
}

/** The member needs entries that are compacted. One that is silent gets nothing: a snapshot is dear. */
function requestSnapshot(state: CoreState, progress: Progress): boolean {
  if (!progress.active || progress.state === 'snapshot') return false;
  const index = state.log.applied;
  assert(index >= state.log.base, 'the state machine is not behind the log');
  progress.becomeSnapshot(index);
  state.outbox.sendSnapshot(progress.id, state.term, progress.session, index);
  return true;
}

/** True: what the member is known to have has grown. */
export function handleAppendResponse(
  state: CoreState,
  message: Extract<PeerMessage, { type: 'append-response' }>,
): boolean {
  const progress = state.progress.get(message.from);
  // An answer from an earlier stay of this member says nothing about the present one.
  if (progress === undefined || message.session !== progress.session) return false;
  heard(state, progress);
  if (message.priority !== progress.priority) state.priorityLearned(progress, message.priority);
  if (message.commit > progress.knownCommit) progress.knownCommit = message.commit;
  // It cannot take the log from its beginning (see `handleAppend`).
  if (message.rejected && message.index === 0) requestSnapshot(state, progress);
  else if (message.rejected) appendRejected(state, progress, message);
  return !message.rejected && appendAccepted(state, progress, message.index);
}

function appendRejected(
  state: CoreState,
  progress: Progress,
  message: Extract<PeerMessage, { type: 'append-response' }>,
): void {
  let hint = message.hintIndex;
  if (message.hintTerm > 0) {
    // Entries here of terms larger than the follower's at the hint cannot be in its log there: skip their runs.
    hint = state.log.findConflictByTerm(message.hintIndex, message.hintTerm).index;
  }
  if (!progress.maybeDecreaseTo(message.index, hint)) return;
  if (progress.state === 'replicate') progress.becomeProbe('reject');
  sendAppend(state, progress, true);
}

function appendAccepted(state: CoreState, progress: Progress, index: Index): boolean {
  const { log } = state;
  assert(index <= log.last, () => `I5: ${progress.id} has matched ${index}, the leader ends at ${log.last}`);
  const moved = progress.maybeUpdate(index);
  if (!moved && !(progress.match === index && progress.state === 'probe')) return false;
  if (progress.state === 'probe') {
    progress.becomeReplicate();
  } else if (progress.state === 'snapshot') {
    // Whichever snapshot it was that the member took in: it is enough when the log goes on from there.
    if (progress.match + 1 >= log.firstIndex) progress.becomeReplicate();
  } else {
    progress.freeInflights(index);
  }
  if (maybeCommit(state)) broadcastAppend(state);
  else if (progress.canBumpCommit(log.commit)) sendAppend(state, progress, true);
  fillWindow(state, progress);
  forgetSettled(state);
  return true;
}

/** A member's sign of life also restarts its flow: whatever is lost is found out by one more append. */
export function handleHeartbeatResponse(state: CoreState, from: NodeId): void {
  const progress = state.progress.get(from);
  if (progress === undefined) return;
  heard(state, progress);
  // A heartbeat's commit index is not answered for; an append's is.
  if (state.retiresAfter !== null && progress.knownCommit < state.retiresAfter) remind(state, progress);
  else wake(state, progress);
}

/** Sends one append even into a full window or to a paused probe: it is answered by the truth. */
export function wake(state: CoreState, progress: Progress): void {
  progress.resume();
  if (progress.match < state.log.last || progress.state === 'probe') sendAppend(state, progress, true);
}

/** Whether this member may lack something that nothing on its way will bring. */
export function isBehind(state: CoreState, progress: Progress): boolean {
  return (
    progress.match < state.log.last ||
    progress.state !== 'replicate' ||
    progress.knownCommit < state.log.commit
  );
}

/** Repeats what may have been lost: an append, or just the commit index. */
export function remind(state: CoreState, progress: Progress): void {
  progress.resume();
  sendAppend(state, progress, true);
}

function heard(state: CoreState, progress: Progress): void {
  if (state.config.liveness === 'ticks') progress.active = true;
}

/**
 * Commits what a quorum has durably, if it is of this term: an entry of an earlier term on a majority can still be
 * replaced (Figure 8 of the paper); it is committed by the first own entry after it.
 */
export function maybeCommit(state: CoreState): boolean {
  const index = committedIndex(state.configuration, state.progress) as Index;
  if (index <= state.log.commit) return false;
  if (state.log.termAt(index) !== state.term) return false;
  return state.log.commitTo(index);
}

/** The leader's own entries count from the moment that they are durable here. */
export function ownEntriesDurable(state: CoreState): void {
  const own = state.progress.get(state.id);
  if (own === undefined || !own.maybeUpdate(state.log.durable)) return;
  if (maybeCommit(state)) broadcastAppend(state);
}

export function handleSnapshotSent(state: CoreState, to: NodeId, ok: boolean): void {
  const progress = state.progress.get(to);
  if (progress === undefined || progress.state !== 'snapshot') return;
  progress.becomeProbe(ok ? 'snapshot-sent' : 'snapshot-failed');
  // Sent: its answer is on the way. Failed: not again at once.
  progress.pause();
}

export function handleUnreachable(state: CoreState, peer: NodeId): void {
  const progress = state.progress.get(peer);
  if (progress?.state === 'replicate') progress.becomeProbe('unreachable');
}

/** Lets go of what this member has applied, and every member has that it can reach as a leader. */
export function forgetSettled(state: CoreState): void {
  // etcd's scripts expect that old entries are at hand.
  if (state.config.replay !== undefined) return;
  let slowest: Index = state.log.last;
  for (const progress of state.progress.values()) {
    if (progress.active && progress.match < slowest) slowest = progress.match;
  }
  state.log.forgetSettled(slowest);
}
