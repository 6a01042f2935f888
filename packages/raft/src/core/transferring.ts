import type { Progress } from './progress.ts';
import { leaveJointIfDue } from './reconfiguring.ts';
import { sendAppend } from './replication.ts';
import { nobody } from './state.ts';
import type { CoreState } from './state.ts';
import { handOver, mayTakeOver, sendTimeoutNow } from './succession.ts';
import type { NodeId } from './types.ts';

/** Election time-outs between two tries to hand over to a preferred voter: 1, 2, 4… up to this. */
const patienceMax = 64;

/** Starts to hand leadership over: the transferee must have the whole log first. */
export function transferTo(state: CoreState, to: NodeId): void {
  const progress = state.progress.get(to);
  if (progress === undefined || progress.learner || to === state.transferee) return;
  if (to === state.id) {
    endTransfer(state);
    return;
  }
  // It has an election time-out to succeed, then this leader takes proposals again.
  state.electionElapsed = 0;
  state.transferee = to;
  if (progress.match === state.log.last) sendTimeoutNow(state, to);
  else sendAppend(state, progress, true);
}

/** The transferee has not won within an election time-out, cannot any more, or is not wanted any more. */
export function endTransfer(state: CoreState): void {
  state.transferee = nobody;
  // (etcd-io/raft waits for the next applied entry, which an idle group may never have.)
  if (state.config.replay === undefined) leaveJointIfDue(state);
}

/** The transferee may have the whole log now. */
export function continueTransfer(state: CoreState, from: NodeId): void {
  if (from === state.transferee && state.progress.get(from)?.match === state.log.last)
    sendTimeoutNow(state, from);
}

/** The host cannot serve: somebody else shall lead, and this member lets the others try first. */
export function resign(state: CoreState): void {
  state.restTicks = state.config.electionTicks;
  if (state.role !== 'leader') return;
  handOver(state);
  state.becomeFollower('resign', state.term, nobody);
}

/** Once per election time-out: office goes to a voter that is preferred, if there is one that has caught up. */
export function handToPreferred(state: CoreState): void {
  const preferred = preferredSuccessor(state);
  if (preferred === null) return;
  state.patience -= 1;
  if (state.patience > 0) return;
  // One that fails again and again would stop proposals each time.
  state.transferTries += 1;
  state.patience = Math.min(patienceMax, 2 ** state.transferTries);
  transferTo(state, preferred.id);
}

export function preferredSuccessor(state: CoreState): Progress | null {
  if (state.topPriority <= state.config.priority || !state.committedInTerm) return null;
  let best: Progress | null = null;
  for (const progress of state.progress.values()) {
    if (progress.priority <= state.config.priority || !mayTakeOver(state, progress)) continue;
    if (progress.state !== 'replicate' || progress.match < state.log.commit) continue;
    if (best === null || progress.priority > best.priority) best = progress;
  }
  return best;
}
