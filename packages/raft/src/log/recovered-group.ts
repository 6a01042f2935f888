import type { Entry } from '../core/types.ts';
import type { GroupState } from './group-state.ts';
import type { RecoveredGroup } from './types.ts';

/** `membership`: its configuration entries, in index order. */
export function recoveredGroup(state: GroupState, membership: readonly Entry[]): RecoveredGroup {
  const { hardState, snapshot, termRuns, lastIndex, former } = state;
  const recovered = { hardState, snapshot, termRuns: [...termRuns], lastIndex, membership };
  return former === null ? recovered : { ...recovered, former };
}
