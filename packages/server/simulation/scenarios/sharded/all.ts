import { controllers } from './controller.ts';
import { fences } from './fencing.ts';
import { movers } from './moving.ts';
import { servers } from './serving.ts';
import type { ShardedScenario } from './sharded-lab.ts';

/** Scenarios 49 to 67; the numbers are the catalogue's. */
export const shardedScenarios: readonly ShardedScenario[] = [
  ...controllers,
  ...movers,
  ...servers,
  ...fences,
];
