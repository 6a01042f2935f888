import type { Progress } from './progress.ts';
import type { CoreState } from './state.ts';
import type { NodeId } from './types.ts';

/** Lets the best voter that has the whole log campaign at once. For a leader that leaves office now. */
export function handOver(state: CoreState): void {
  let best: Progress | null = null;
  for (const progress of state.progress.values()) {
    if (!mayTakeOver(state, progress) || progress.match !== state.log.last) continue;
    if (best === null || progress.priority > best.priority) best = progress;
  }
  if (best !== null) sendTimeoutNow(state, best.id);
}

/** A voter that is about to leave would not stay in office. */
export function mayTakeOver(state: CoreState, progress: Progress): boolean {
  return progress.id !== state.id && progress.active && state.configuration.voters.includes(progress.id);
}

export function sendTimeoutNow(state: CoreState, to: NodeId): void {
  // Followers vote in its election though this leader is alive, and the message may arrive at any later time: what
  // they promised to this leadership is not worth anything any more.
  state.leaseGivenUp = true;
  state.outbox.send({ type: 'timeout-now', from: state.id, to, term: state.term });
}
