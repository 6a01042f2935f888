import { memberLives, progressStates, roles } from '@flotilla/raft';
import { leaseLives, nodeLives, shardLives, transactionLives } from '@flotilla/store/simulation';

const tables = [roles, progressStates, memberLives, shardLives, transactionLives, leaseLives, nodeLives];

/**
 * Every legal transition of every life cycle, and how often it was taken in this process so far:
 * `role: follower --pre-campaign--> pre-candidate`.
 */
export function edgesTaken(): Readonly<Record<string, number>> {
  return Object.fromEntries(
    tables.flatMap((table) =>
      table
        .coverage()
        .map(({ from, event, to, count }) => [`${table.name}: ${from} --${event}--> ${to}`, count]),
    ),
  );
}
