import { transitionTable } from './transition-table.ts';

/**
 * What a member is in its group. `higher-term` and `leader-seen` come from messages, `lose` from a quorum of refusals, or
 * from a change of the voters that it hears of while it counts,
 * `lose-quorum` from silence, `restore` from a snapshot that takes the campaign's log away, `removed` from a
 * configuration without this voter, `resign` from the host. A leader never campaigns: it must first step down.
 */
export const roles = transitionTable('role', {
  follower: {
    'pre-campaign': 'pre-candidate',
    campaign: 'candidate',
    'higher-term': 'follower',
    'leader-seen': 'follower',
  },
  'pre-candidate': {
    'pre-campaign': 'pre-candidate',
    campaign: 'candidate',
    'higher-term': 'follower',
    'leader-seen': 'follower',
    lose: 'follower',
    restore: 'follower',
  },
  candidate: {
    'pre-campaign': 'pre-candidate',
    campaign: 'candidate',
    win: 'leader',
    'higher-term': 'follower',
    'leader-seen': 'follower',
    lose: 'follower',
    restore: 'follower',
  },
  leader: {
    'higher-term': 'follower',
    'lose-quorum': 'follower',
    removed: 'follower',
    resign: 'follower',
  },
});

/** Why a member becomes a follower. */
export type FollowReason =
  'higher-term' | 'leader-seen' | 'lose' | 'lose-quorum' | 'restore' | 'removed' | 'resign';
