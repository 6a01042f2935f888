import { limits } from '../limits.ts';

/**
 * How long a transaction that met a lock waits at most before it is tried again. Locks are held for about as long as an
 * attempt takes, wherever it takes so long: with shorter pauses those that want the same keys meet each other again, and
 * one of many shards, which finds a lock of somebody's on one of them nearly always, would never get through.
 */
export function conflictPauseMs(conflicts: number, attemptMs: number): number {
  const doublings = Math.min(conflicts - 1, limits.shardBackoffDoublings);
  const mostMs = Math.max(limits.shardBackoffMs, attemptMs) * 2 ** doublings;
  return Math.min(mostMs, limits.shardBackoffMostMs);
}
