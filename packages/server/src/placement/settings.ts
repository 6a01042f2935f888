/** What operators may set. Shares are of 1, times in milliseconds, sizes in bytes. */
export interface PlacementSettings {
  readonly policies: readonly Policy[];
  /** How far a node may be from its share before anything is done about it. */
  readonly band: Readonly<Record<Dimension, number>>;
  /** A silent node counts as lost after so long; restarts are shorter. */
  readonly lostAfterMs: number;
  /** A node must have been heard of for so long before it gets anything. */
  readonly steadyAfterMs: number;
  readonly diskFullShare: number;
  /** Replicas that catch up at the same time: on one node, and from the leaders of one node. */
  readonly movesInPerNode: number;
  readonly movesOutPerNode: number;
  readonly transfersPerNode: number;
  readonly splitBytes: number;
  readonly splitLoad: number;
  /** Two neighbours are merged when together they are below both. Less than half of the above, or it would never end. */
  readonly mergeBytes: number;
  readonly mergeLoad: number;
}

export interface Policy {
  readonly replicas: number;
  /** Labels that a node must have to hold a replica. */
  readonly labels: readonly string[];
}

/** What is balanced. The first two and the load go with a replica, the leaders and most of the load with the office. */
export const dimensions = ['replicas', 'bytes', 'leaders', 'load'] as const;
export type Dimension = (typeof dimensions)[number];

export const defaultSettings: PlacementSettings = {
  policies: [{ replicas: 3, labels: [] }],
  band: { replicas: 0.05, bytes: 0.05, leaders: 0.1, load: 0.25 },
  lostAfterMs: 600_000,
  steadyAfterMs: 60_000,
  diskFullShare: 0.85,
  movesInPerNode: 4,
  movesOutPerNode: 4,
  transfersPerNode: 16,
  splitBytes: 256 * 1024 * 1024,
  splitLoad: 2_500,
  mergeBytes: 32 * 1024 * 1024,
  mergeLoad: 500,
};

/** Bounds of one call, and constants of the model. */
export const placementLimits = {
  /** Operations that one call decides at most. */
  operationsPerCall: 10_000,
  /** Shards with a broken rule that one call looks at. */
  shardsPerCall: 20_000,
  /** Nodes out of their band that one call tries to help, in each dimension. */
  nodesPerDimension: 1_024,
  /** Replicas that are looked at on such a node, and what it gives or takes in one call. */
  replicasPerNode: 64,
  movesPerNode: 4,
  transfersPerNode: 8,
  /** Nodes of a zone that are drawn as targets for a replica. */
  targetsPerZone: 8,
  /** Splits and merges in one call: each stops its keys for a moment. */
  splitsPerCall: 16,
  mergesPerCall: 16,
  /** Nodes that a shard has left, and that balance keeps it away from. */
  movesRemembered: 4,
  /** Nodes that an explanation tells of one by one. */
  explainedNodes: 64,
  /** What a replica costs beside its bytes and its requests: empty ones are balanced by number. */
  replicaBaseBytes: 1024 * 1024,
  replicaBaseLoad: 1,
  /** Below this a change for the better is rounding. */
  leastGain: 1e-9,
} as const;
