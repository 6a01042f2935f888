import { coreScenario, hostScenario } from '@flotilla/raft/simulation';
import type { Scenario } from '@flotilla/sim';
import { clusterScenario } from './cluster/cluster.ts';

/** Every scenario that `flotilla simulate` knows, by name. */
export const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [clusterScenario, coreScenario, hostScenario].map((scenario) => [scenario.name, scenario]),
);
