import { transitionTable } from '@flotilla/raft';

/**
 * The life of a transaction of several shards, as one participant sees it. Decisions come from the order group and may
 * come first: a Prepare that is late finds that it is over.
 */
export const transactionLives = transitionTable('transaction-life', {
  // A vote of «no» leaves nothing behind: asked again the shard may vote otherwise.
  unknown: { prepare: 'prepared', wait: 'waiting', abort: 'over' },
  waiting: { prepare: 'prepared', abort: 'over' },
  prepared: { commit: 'over', abort: 'over', repeat: 'prepared' },
  over: { repeat: 'over' },
});

export type TransactionLife = (typeof transactionLives.states)[number];
