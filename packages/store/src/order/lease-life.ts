import { transitionTable } from '@flotilla/raft';

/**
 * The life of a lease in the order group. Being revoked it may not be registered by any more shards, and its end is a
 * transaction over those that have registered it.
 */
export const leaseLives = transitionTable('lease-life', {
  absent: { grant: 'live' },
  live: { renew: 'live', register: 'live', revoke: 'revoking', 'revoke-alone': 'absent' },
  revoking: { revoke: 'revoking', revoked: 'absent' },
});

export type LeaseLife = (typeof leaseLives.states)[number];
