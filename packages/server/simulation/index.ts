import {
  contestedScenario,
  coreScenario,
  hostLeasesScenario,
  hostScenario,
  hostSnapshotsScenario,
  membershipScenario,
  replicaScenario,
  stormScenario,
} from '@flotilla/raft/simulation';
import type { Scenario } from '@flotilla/sim';
import { counterScenario } from '@flotilla/sim/examples';
import { orderingScenario } from '@flotilla/store/simulation';
import { clientScenario } from './client/client.ts';
import { authScenario } from './auth/auth.ts';
import { clusterScenario } from './cluster/cluster.ts';
import { membersScenario } from './cluster/members.ts';
import { leasesScenario } from './leases/leases.ts';
import { placementScenario } from './placement/placement.ts';
import { shardedScenarios, transactionScenarios } from './transactions/transactions.ts';

export { edgesTaken } from './edges.ts';

/**
 * Every scenario that `flotilla simulate` knows, by name. The forgetful counter is broken on purpose: it shows what a
 * failure looks like.
 */
export const scenarios: ReadonlyMap<string, Scenario> = new Map(
  [
    clusterScenario,
    membersScenario,
    leasesScenario,
    authScenario,
    clientScenario,
    ...transactionScenarios,
    ...shardedScenarios,
    placementScenario,
    orderingScenario,
    coreScenario,
    stormScenario,
    contestedScenario,
    hostScenario,
    hostSnapshotsScenario,
    hostLeasesScenario,
    membershipScenario,
    replicaScenario,
    counterScenario(true),
  ].map((scenario) => [scenario.name, scenario]),
);
