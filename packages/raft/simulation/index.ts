export { contestedScenario, coreScenario, stormScenario } from './core/core-scenarios.ts';
export { firstIndexOf } from './first-index.ts';
export { hostLeasesScenario } from './host-leases.ts';
export { membershipScenario } from './host-membership.ts';
export { hostSnapshotsScenario } from './host-snapshots.ts';
export { hostScenario } from './host.ts';
export { peerFrames } from './peer-frames.ts';
export { labelPeerMessages } from './peer-labels.ts';
export { replicaScenario } from './replica/replica-simulation.ts';
