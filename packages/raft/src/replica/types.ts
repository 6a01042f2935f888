import type { HostMetrics } from '../host/metrics.ts';
import type { HostStatus } from '../host/types.ts';
import type { CallOptions } from './calls.ts';

export interface ReadOptions extends CallOptions {
  /**
   * - `linearizable` (the default): sees every command that was acknowledged, anywhere, before the call. One round
   *   trip from the leader to a majority, shared by all reads of a moment.
   * - `lease`: the same, without the round trip when this member leads and `config.leases` is set at all members; relies
   *   on their clocks running at nearly the same rate.
   * - `local`: what this member has, which may be old. Asks nobody, and never waits.
   */
  readonly consistency?: 'linearizable' | 'lease' | 'local';
}

/** What a replica is at the moment. */
export interface ReplicaStatus {
  readonly id: number;
  readonly role: 'follower' | 'pre-candidate' | 'candidate' | 'leader';
  readonly term: number;
  /** The leader that this member knows; null: none. */
  readonly leader: number | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly lastIndex: number;
  /** Up to here a snapshot file has the state. */
  readonly snapshotIndex: number;
  /** False while the state of another member is put in place of a missing or old one. */
  readonly isStateReady: boolean;
  readonly isRemoved: boolean;
  /** Where it listens, as `host:port`. */
  readonly address: string;
  /** Why it has stopped, or null. */
  readonly failure: string | null;
  /** Connections, the log and the rest, for those who look for the cause of something. */
  readonly host: HostStatus;
}

/** Counters and gauges, growing from the start of this life. */
export interface ReplicaMetrics extends Readonly<HostMetrics> {
  readonly snapshotsTaken: number;
  readonly snapshotsInstalled: number;
  readonly snapshotFileBytes: number;
}
