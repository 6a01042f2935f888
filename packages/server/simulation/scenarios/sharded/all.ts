import { controllers } from './controller.ts';
import { fences } from './fencing.ts';
import { movers } from './moving.ts';
import { servers } from './serving.ts';
import type { ShardedScenario } from './sharded-lab.ts';

/**
 * Scenarios 49 to 67; the numbers are the catalogue's. Bugs that were seen to make them fail, with seed 1 of each:
 *
 * - 49: a shard between two leaders counts on both sides (`replacedBy` without a report answers nobody).
 * - 51: a new controller does not look at the newest order before it decides.
 * - 53: `isMine` in `shard-machine.ts` does not compare the version of the range.
 * - 56: a group's room is that of its nodes which were never heard of, too.
 * - 63: `ShardMembers.isWanted` is false while a newcomer sleeps.
 * - 64: a leader that is to go tries one heir for ever.
 * - 65, 66: a wish that a node leaves is taken although it has joined again since.
 */
export const shardedScenarios: readonly ShardedScenario[] = [
  ...controllers,
  ...movers,
  ...servers,
  ...fences,
];
