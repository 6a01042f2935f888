import { transitionTable } from '@flotilla/raft';

/** The life of a node in a sharded cluster. It leaves when it has no replica and shall get none; it can come again. */
export const nodeLives = transitionTable('node-life', {
  unknown: { join: 'joined' },
  joined: { join: 'joined', drain: 'draining', leave: 'left' },
  draining: { join: 'joined', drain: 'draining', leave: 'left' },
  left: { join: 'joined', leave: 'left' },
});
