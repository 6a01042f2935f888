import type { Platform } from '@flotilla/platform';
import type { Group, Term } from '@flotilla/raft';
import { limits } from '../limits.ts';

/**
 * A new group has no leader: who led its parent stands first, again while the others open it, after pauses that double.
 * Where they are slow to answer it gives them that time: standing again in a term in which votes are on their way would
 * only void them.
 */
export async function elect(
  platform: Platform,
  group: () => Pick<Group<unknown>, 'campaign' | 'status'> | null,
): Promise<void> {
  let votedIn: Term | null = null;
  for (let attempt = 0; attempt < limits.firstElections; attempt += 1) {
    const its = group();
    const status = its?.status();
    if (its === null || status === undefined || status.leader !== 0) return;
    const isUnderWay = status.role === 'candidate' && status.term !== votedIn;
    if (isUnderWay) votedIn = status.term;
    else its.campaign();
    await new Promise<void>((resolve) => {
      platform.timer(limits.firstElectionMs * 2 ** attempt, 'first-election', resolve);
    });
  }
}
