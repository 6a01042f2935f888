import { assert } from '@flotilla/platform';
import { decodeMembershipChange, encodeMembershipChange, leaveJointChange } from './membership-codec.ts';
import { applyChange, isJoint, promotedLearners, reusedId } from './membership.ts';
import { isVoter, membersOf, voteResult } from './quorum.ts';
import { recountReads } from './reading.ts';
import { appendOwn, broadcastAppend, flushBroadcast, maybeCommit, probeNewMembers } from './replication.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import { handOver } from './succession.ts';
import type { Configuration, Index, MembershipChange, NodeId, Ref, RefusalReason } from './types.ts';

/** A change that this member's own host asks for: appended by a leader, else forwarded once, as a proposal is. */
export function changeMembership(state: CoreState, ref: Ref, change: MembershipChange): void {
  const { outbox, id, leader, term } = state;
  const payload = encoded(change);
  if (payload === null) {
    outbox.refuse(ref, 'invalid-change');
  } else if (state.role === 'leader') {
    const result = appendIfAllowed(state, change, payload);
    if (typeof result === 'string') outbox.refuse(ref, result);
    else outbox.settle({ type: 'appended', ref, term, index: result });
  } else if (leader === nobody) {
    outbox.refuse(ref, 'no-leader');
  } else {
    outbox.send({ type: 'propose', from: id, to: leader, term, kind: 'membership', payloads: [payload] });
    outbox.settle({ type: 'forwarded', ref, term, to: leader });
  }
}

/** A change that a follower forwarded. What is refused is dropped, as forwarded proposals are. */
export function handleForwardedChange(state: CoreState, payload: Uint8Array): void {
  const change = decoded(payload);
  if (change !== null) appendIfAllowed(state, change, payload);
}

function appendIfAllowed(
  state: CoreState,
  change: MembershipChange,
  payload: Uint8Array,
): Index | RefusalReason {
  const reason = reasonToRefuseChange(state, change);
  if (reason === null) return appendChange(state, payload);
  if (state.config.replay !== undefined && reason !== 'no-leader' && reason !== 'transferring') {
    appendOwn(state, 'no-op', new Uint8Array(0));
    broadcastAppend(state);
  }
  return reason;
}

function appendChange(state: CoreState, payload: Uint8Array): Index {
  state.uncommittedBytes += payload.length;
  const index = appendOwn(state, 'membership', payload);
  state.lastChange = index;
  broadcastAppend(state);
  return index;
}

function reasonToRefuseChange(state: CoreState, change: MembershipChange): RefusalReason | null {
  if (state.retires) return 'no-leader';
  if (state.transferee !== nobody) return 'transferring';
  if (state.config.replay !== undefined) return reasonOfEtcd(state, change);
  // Configurations one change apart share a member of every majority; two changes apart they need not. So each is
  // applied here, and known to be committed wherever the next one is, before the next one is appended.
  if (!state.committedInTerm) return 'term-not-committed';
  if (state.membership.length > 0) return 'change-pending';
  const { configuration, config } = state;
  if (isJoint(configuration) && change.steps.length > 0) return 'change-pending';
  if (config.reusableIds !== true && reusedId(configuration, change) !== null) return 'id-reused';
  if (namesNobody(configuration, change) || !applyChange(configuration, change).ok) return 'invalid-change';
  // No change is between this one and what is applied: what the state machine says now is as true at the entry.
  if (config.admitsChange?.(change) === false) return 'invalid-change';
  return lagsBehind(state, change) ? 'learner-behind' : null;
}

/** What etcd-io/raft looks at, no more: its scripts rely on what it lets pass. */
function reasonOfEtcd(state: CoreState, change: MembershipChange): RefusalReason | null {
  if (state.config.replay?.unvalidatedChanges === true) return null;
  if (state.lastChange > state.log.applied) return 'change-pending';
  const leaves = change.steps.length === 0;
  if (isJoint(state.configuration) === leaves) return null;
  return leaves ? 'invalid-change' : 'change-pending';
}

/** Removing a stranger is a mistake of whoever asks, and told to them. */
function namesNobody(configuration: Configuration, change: MembershipChange): boolean {
  const members = membersOf(configuration);
  return change.steps.some(
    ({ operation, id }) => id === 0 || (operation === 'remove' && !members.includes(id)),
  );
}

/** A voter that still has to catch up counts for the size of a majority, and cannot be part of one. */
function lagsBehind(state: CoreState, change: MembershipChange): boolean {
  for (const id of promotedLearners(state.configuration, change)) {
    const match = state.progress.get(id)?.match ?? 0;
    // Nothing was heard from it in this term: in a short log that would pass for close behind, while it waits for a
    // snapshot, or is not even there.
    if (match === 0 || match + state.config.maxPromotionLagEntries < state.log.last) return true;
  }
  return false;
}

/** The entries up to `upTo` are applied: the changes among them take effect, one after the other. */
export function applyMembership(state: CoreState, upTo: Index): void {
  const { membership } = state;
  for (let entry = membership[0]; entry !== undefined && entry.index <= upTo; entry = membership[0]) {
    membership.shift();
    const result = applyChange(state.configuration, decodeMembershipChange(entry.payload));
    assert(
      result.ok || state.config.replay !== undefined,
      () => `I17: the change at ${entry.index} was checked by the leader that appended it`,
    );
    if (result.ok) adoptConfiguration(state, result.configuration, entry.index);
  }
}

/** From now on `configuration` decides. `from`: the index at which it came into force. */
export function adoptConfiguration(state: CoreState, configuration: Configuration, from: Index): void {
  state.configuration = configuration;
  state.configurations.push({ from, configuration });
  assert(
    state.role === 'follower' || state.role === 'leader',
    'a campaign starts when every committed change is applied, and ends when a snapshot brings one',
  );
  if (state.role !== 'leader') return;
  state.rebuildProgress();
  const votes = isVoter(configuration, state.id);
  if (!votes && state.config.replay !== undefined) {
    if (state.config.replay.stepDownOnRemoval === true) state.becomeFollower('removed', state.term, nobody);
    return;
  }
  state.retiresAfter = votes ? null : from;
  // A removal may leave a majority that has more.
  if (maybeCommit(state)) broadcastAppend(state);
  else probeNewMembers(state);
  // One that votes no longer cannot be elected.
  if (state.transferee !== nobody && !isVoter(configuration, state.transferee)) state.transferee = nobody;
  recountReads(state);
  retireIfKnown(state);
}

/**
 * A leader that votes no longer goes on until a majority of those who do know that the change is committed, and takes
 * nothing new. Without it nobody else might know, and whoever asks the old majority would need the vote of a member
 * that its operator has switched off as soon as it was removed. The best of the others campaigns at once.
 */
export function retireIfKnown(state: CoreState): void {
  const { retiresAfter } = state;
  if (retiresAfter === null) return;
  const knows = new Map<NodeId, boolean>();
  for (const { id, knownCommit } of state.progress.values()) knows.set(id, knownCommit >= retiresAfter);
  if (voteResult(state.configuration, knows) !== 'won') return;
  if (state.broadcastDue) flushBroadcast(state);
  handOver(state);
  state.becomeFollower('removed', state.term, nobody);
  state.retired = true;
}

/**
 * The leader leaves a joint configuration that says so as soon as it is applied; one that finds itself in such a
 * configuration, as soon as it has committed in its own term. Asked again whenever what forbids it may have ended.
 */
export function leaveJointIfDue(state: CoreState): void {
  const { configuration, config, log } = state;
  if (!configuration.autoLeave || state.role !== 'leader') return;
  if (state.transferee !== nobody || state.retires) return;
  const free =
    config.replay === undefined
      ? state.membership.length === 0 && state.committedInTerm
      : state.lastChange <= log.applied;
  if (free) appendChange(state, encodeMembershipChange(leaveJointChange));
}

function encoded(change: MembershipChange): Uint8Array | null {
  try {
    return encodeMembershipChange(change);
  } catch {
    return null;
  }
}

function decoded(payload: Uint8Array): MembershipChange | null {
  try {
    return decodeMembershipChange(payload);
  } catch {
    return null;
  }
}
