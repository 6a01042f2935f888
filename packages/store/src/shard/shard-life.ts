import { transitionTable } from '@flotilla/raft';

/**
 * The life of a shard. `barrier` comes from its own log; how it ends is said by the order group, as a fact: the range is
 * changed, the change is refused, or the shard has become part of its neighbour.
 */
export const shardLives = transitionTable('shard-life', {
  serving: { barrier: 'draining', widened: 'serving' },
  draining: { changed: 'serving', refused: 'serving', absorbed: 'retired' },
  retired: {},
});

export type ShardLife = (typeof shardLives.states)[number];
