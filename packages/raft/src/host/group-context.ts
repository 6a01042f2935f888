import type { Platform } from '@flotilla/platform';
import type { Index, NodeId, SnapshotMeta, Term, Write } from '../core/types.ts';
import type { WriteAheadLog } from '../log/types.ts';
import type { ResolvedConfig } from './config.ts';
import type { HostedGroup } from './hosted-group.ts';
import type { Leases } from './lease.ts';
import type { HostMetrics } from './metrics.ts';
import type { PeerLink } from './peer-link.ts';
import type { GroupId } from './types.ts';

/** What a group needs of its host. */
export interface GroupContext {
  readonly platform: Platform;
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly config: ResolvedConfig;
  readonly metrics: HostMetrics;
  readonly log: WriteAheadLog;
  readonly links: ReadonlyMap<NodeId, PeerLink>;
  /** Null: this member has leases off. */
  readonly leases: Leases | null;
  /** What former lives may have promised: this one keeps it, also with leases off. */
  readonly formerPromiseMs: number;
  /** Has the group's turn run, and what was queued sent, at the end of this turn of the event loop. */
  schedule(group: AnyGroup): void;
  /** Sends what was queued at the end of this turn. */
  readonly flushSoon: () => void;
  /** Deadlines are looked at from now on. */
  watchDeadlines(group: AnyGroup): void;
  append(group: GroupId, write: Write): void;
  /** Whether this member leads, or the term in which it does, has changed. */
  leadershipChanged(): void;
  sendSnapshot(wish: SnapshotWish): void;
  /** The oldest index that a snapshot of this group on its way out starts from, or null. */
  oldestSnapshotSend(group: GroupId): Index | null;
  /** An append has been outstanding for longer than `diskStallMs`. */
  readonly diskStalled: boolean;
  /** The configuration of some group has changed. */
  membershipChanged(): void;
  readonly fail: (error: unknown) => void;
}

export interface SnapshotWish {
  readonly group: AnyGroup;
  readonly link: PeerLink;
  readonly term: Term;
  readonly session: number;
  readonly meta: SnapshotMeta;
}

// oxlint-disable-next-line typescript/no-explicit-any -- a host has groups of many result types
export type AnyGroup = HostedGroup<any>;
