import { handleForwardedChange } from './reconfiguring.ts';
import { appendOwn, broadcastAppend } from './replication.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import type { PeerMessage, Ref, RefusalReason } from './types.ts';

/** A proposal of this member's own host: appended by a leader, else forwarded once. */
export function propose(state: CoreState, ref: Ref, payload: Uint8Array): void {
  const { outbox, config, leader, term } = state;
  if (state.role === 'leader') {
    const refusal = reasonToRefuse(state, payload);
    if (refusal !== null) {
      outbox.refuse(ref, refusal);
      return;
    }
    const index = appendProposal(state, payload);
    outbox.settle({ type: 'appended', ref, term, index });
  } else if (leader === nobody) {
    outbox.refuse(ref, 'no-leader');
  } else if (payload.length > config.maxPayloadBytes) {
    outbox.refuse(ref, 'too-large');
  } else {
    outbox.forward(payload, state.id, leader, term, config);
    outbox.settle({ type: 'forwarded', ref, term, to: leader });
  }
}

/**
 * Proposals that a follower forwarded. Taken in the very term that they name, and never sent on: so each is in the log
 * before the first entry of a later term or it never will be, and whoever forwarded it knows when to do it again.
 */
export function handleForwarded(state: CoreState, message: Extract<PeerMessage, { type: 'propose' }>): void {
  if (state.role !== 'leader' || message.term !== state.term) return;
  if (message.kind === 'membership') {
    for (const payload of message.payloads) handleForwardedChange(state, payload);
    return;
  }
  for (const payload of message.payloads) {
    if (reasonToRefuse(state, payload) === null) appendProposal(state, payload);
  }
}

function appendProposal(state: CoreState, payload: Uint8Array): ReturnType<typeof appendOwn> {
  state.uncommittedBytes += payload.length;
  const index = appendOwn(state, 'command', payload);
  broadcastAppend(state);
  return index;
}

function reasonToRefuse(state: CoreState, payload: Uint8Array): RefusalReason | null {
  if (state.retires) return 'no-leader';
  if (state.transferee !== nobody) return 'transferring';
  if (payload.length > state.config.maxPayloadBytes) return 'too-large';
  // One proposal always fits when nothing waits, however low the bound.
  const waiting = state.uncommittedBytes;
  if (waiting > 0 && waiting + payload.length > state.config.maxUncommittedBytes) return 'uncommitted-bytes';
  return null;
}

/** The state machine has taken in this much of what was proposed. */
export function reduceUncommitted(state: CoreState, payloadBytes: number): void {
  state.uncommittedBytes = Math.max(0, state.uncommittedBytes - payloadBytes);
}
