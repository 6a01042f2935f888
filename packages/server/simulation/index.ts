import type { Scenario } from '@flotilla/sim';
import { clusterScenario } from './cluster/cluster.ts';

/** Every scenario that `flotilla simulate` knows, by name. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map([[clusterScenario.name, clusterScenario]]);
