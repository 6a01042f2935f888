import { nobody } from './state.ts';
import type { CoreState } from './state.ts';

/** `peers`: the host says that this member's leader is alive and leads in this very term. No tick is needed then. */
export function leaderIsTrusted(state: CoreState): boolean {
  return state.leader !== nobody && state.alive.get(state.leader) === state.term;
}

/** For stickiness: a leader counts as alive until its silence has lasted an election time-out. */
export function leaderIsAlive(state: CoreState): boolean {
  if (state.role === 'leader' || leaderIsTrusted(state)) return true;
  return state.electionElapsed < state.config.electionTicks;
}
