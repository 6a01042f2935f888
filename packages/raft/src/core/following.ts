import { assert } from '@flotilla/platform';
import { isSameConfiguration } from './configuration.ts';
import { adoptConfiguration, applyMembership } from './reconfiguring.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import type { Entry, Index, PeerMessage, Term } from './types.ts';

type Append = Extract<PeerMessage, { type: 'append' }>;

/** A follower's side of replication (§5.3 of the paper). Every answer waits until what it says is durable. */
export function handleAppend(state: CoreState, message: Append): void {
  const { log } = state;
  state.topPriority = Math.max(message.topPriority, state.config.priority);
  if (knowsNobody(state)) {
    rejectAppend(state, message);
    return;
  }
  if (message.previousIndex < log.commit) {
    // An append that was overtaken. What is committed is equal everywhere, so it matches up to there.
    respond(state, message, log.commit);
    return;
  }
  if (!log.matches(message.previousIndex, message.previousTerm)) {
    rejectAppend(state, message);
    return;
  }
  const lastNew = (message.previousIndex + message.entries.length) as Index;
  appendNew(state, message.entries);
  // Past the last entry of this very append our log may still differ from the leader's.
  log.commitTo(Math.min(message.commit, lastNew) as Index);
  requireOneChange(state);
  respond(state, message, lastNew);
}

/**
 * A new member that was not told who founded the group: changes of membership in the log mean nothing to it. It refuses
 * even the very first entry, which nobody else does, and gets a snapshot, with a configuration in it.
 */
function knowsNobody(state: CoreState): boolean {
  const { voters, learners } = state.configuration;
  return (
    state.log.last === 0 && voters.length === 0 && learners.length === 0 && state.config.replay === undefined
  );
}

/** Appends what is new. Only a real conflict truncates: a late append, shorter than the log, must not. */
function appendNew(state: CoreState, entries: readonly Entry[]): void {
  const { log } = state;
  for (const entry of entries) {
    if (entry.index <= log.last) {
      if (log.matches(entry.index, entry.term)) continue;
      log.truncate(entry.index);
      forgetMembership(state, entry.index);
    }
    assert(entry.term <= state.term, 'a leader sends no entry of a later term');
    log.append(entry);
    if (entry.kind === 'membership') state.membership.push(entry);
  }
  state.settleFormer();
}

/**
 * Whoever has a change in its log knows that the ones before it are committed, and applies them before it campaigns:
 * so it counts votes in a configuration that is at most one change away from anybody else's.
 */
function requireOneChange(state: CoreState): void {
  const { membership, log } = state;
  const before = membership[membership.length - 2];
  assert(
    before === undefined || before.index <= log.commit || state.config.replay?.unvalidatedChanges === true,
    () => `I17: a second change was appended before the one at ${before?.index} was committed`,
  );
}

function forgetMembership(state: CoreState, from: Index): void {
  const { membership } = state;
  while (membership.length > 0 && (membership[membership.length - 1] as Entry).index >= from)
    membership.pop();
}

/** Refuses, with the largest position at which the logs may agree: nothing of a larger term can. */
function rejectAppend(state: CoreState, message: Append): void {
  const { log } = state;
  const start = Math.min(message.previousIndex, log.last) as Index;
  const hint = log.findConflictByTerm(start, message.previousTerm);
  state.outbox.promise({
    type: 'append-response',
    from: state.id,
    to: message.from,
    term: state.term,
    session: message.session,
    index: message.previousIndex,
    rejected: true,
    hintIndex: hint.index,
    hintTerm: hint.term,
    commit: log.commit,
    priority: state.config.priority,
  });
}

function respond(state: CoreState, message: { from: Append['from']; session: number }, index: Index): void {
  state.outbox.promise({
    type: 'append-response',
    from: state.id,
    to: message.from,
    term: state.term,
    session: message.session,
    index,
    rejected: false,
    hintIndex: 0 as Index,
    hintTerm: 0 as Term,
    commit: state.log.commit,
    priority: state.config.priority,
  });
}

/**
 * Tells a leader of an earlier term that it is one. Needed with pre-vote and check-quorum, because a member whose term
 * is larger could otherwise neither be led nor be elected.
 */
export function answerStaleLeader(state: CoreState, message: PeerMessage): void {
  const session = message.type === 'append' ? message.session : 0;
  respond(state, { from: message.from, session }, 0 as Index);
}

export function handleHeartbeat(
  state: CoreState,
  message: Extract<PeerMessage, { type: 'heartbeat' }>,
): void {
  const { log, former } = state;
  // One that comes late may be about the log that was let go of. What this one has by now is the same leader's.
  log.commitTo(former === null ? message.commit : (Math.min(message.commit, log.last) as Index));
  state.outbox.send({
    type: 'heartbeat-response',
    from: state.id,
    to: message.from,
    term: state.term,
    readSequence: message.readSequence,
  });
}

/**
 * The state machine has taken in a snapshot. Its entries are committed, whatever the term of the leader that sent it,
 * so it also counts when that leader is deposed by now.
 */
export function handleSnapshot(
  state: CoreState,
  message: Extract<PeerMessage, { type: 'install-snapshot' }>,
): void {
  const { log } = state;
  const { snapshot } = message;
  if (snapshot.index <= log.commit) {
    respond(state, message, log.commit);
    return;
  }
  // It may bring another configuration, and take away the log that was campaigned with.
  if (state.role === 'candidate' || state.role === 'pre-candidate') {
    state.becomeFollower('restore', state.term, nobody);
  }
  if (log.matches(snapshot.index, snapshot.term)) {
    // The log already has all of it, and perhaps more: keep it. Its changes come into force one by one, as if their
    // entries had been applied: a compaction to between two of them asks for the configuration that was in force there.
    log.commitTo(snapshot.index);
    applyMembership(state, snapshot.index);
    log.applied = snapshot.index;
  } else {
    assert(state.role !== 'leader', 'I6: a leader has every committed entry');
    log.restore(snapshot);
    state.membership.length = 0;
    state.configurations.length = 0;
    state.settleFormer();
  }
  respond(state, message, log.commit);
  if (state.configurations.length > 0 && isSameConfiguration(state.configuration, snapshot.configuration))
    return;
  adoptConfiguration(state, snapshot.configuration, snapshot.index);
}
