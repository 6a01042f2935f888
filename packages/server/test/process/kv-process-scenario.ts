import type { KvProcessLab } from './kv-process-lab.ts';
import type { ProcessClusterOptions } from './process-cluster.ts';
import { fileURLToPath } from 'node:url';

/** One of the courses' tests of a key-value service, over real processes. */
export interface KvProcessScenario {
  readonly number: string;
  readonly title: string;
  readonly cluster: ClusterKind;
  /** Every scenario has keys of its own, and leaves all members running and connected: others go on there. */
  readonly play: (lab: KvProcessLab, scale: Scale) => Promise<void>;
}

export interface ClusterKind {
  readonly members: number;
  /** The courses' `maxraftstate`: Flotilla counts entries, not bytes. Few enough here for the courses' bytes. */
  readonly snapshots: boolean;
  /** Members tell their heap, and their clocks can jump: see member-probe.mjs. */
  readonly probed?: boolean;
}

/** Where it makes no difference, logs are compacted as often as where it does. */
export const three: ClusterKind = { members: 3, snapshots: true };
export const threeWithoutSnapshots: ClusterKind = { members: 3, snapshots: false };

export function clusterOptions({ members, snapshots, probed = false }: ClusterKind): ProcessClusterOptions {
  const flags = snapshots
    ? ['--snapshot-count=5', '--snapshot-catchup-entries=1']
    : ['--snapshot-count=1000000'];
  const probe = new URL('member-probe.mjs', import.meta.url);
  return {
    members,
    flags,
    throughLinks: true,
    ...(probed ? { env: { NODE_OPTIONS: `--import=${fileURLToPath(probe)}` } } : {}),
  };
}

/** How much of it. */
export interface Scale {
  readonly speedWrites: number;
  readonly lossyPuts: number;
  readonly oneShots: number;
  readonly lockMs: number;
  readonly racerMs: number;
  readonly genericRounds: number;
  readonly genericMs: number;
  /** Whether sessions are waited for until they expire: two minutes, with clocks that jump an hour. */
  readonly expiry: boolean;
}

export const boundedScale: Scale = {
  speedWrites: 100,
  lossyPuts: 5,
  oneShots: 200,
  lockMs: 300,
  racerMs: 200,
  genericRounds: 1,
  genericMs: 500,
  expiry: false,
};

/** The catalogue's. */
export const fullScale: Scale = {
  speedWrites: 1_000,
  lossyPuts: 100,
  oneShots: 20_000,
  lockMs: 2_000,
  racerMs: 1_000,
  genericRounds: 3,
  genericMs: 1_000,
  expiry: true,
};
