import type { GroupStatus, Host, NodeId, PeerStatus } from '@flotilla/raft';
import type { Database, DatabaseStats } from '@flotilla/store';
import type { HealthCounts } from '../http/health.ts';
import type { BackendStatus } from '../member/backend.ts';
import { API_VERSION } from '../member/version.ts';
import type { CallMeter } from './call-meter.ts';
import { callMetrics } from './call-metrics.ts';
import type { Histogram } from './histogram.ts';
import { counter, gauge, histogram, labelled, type Metric } from './registry.ts';

/** What a member's metrics are read from, when somebody asks. */
export interface MetricSources {
  readonly database: Database;
  readonly host: Pick<Host, 'metrics' | 'status'>;
  readonly calls: CallMeter;
  readonly requests: RequestCounts;
  readonly health: HealthCounts;
  readonly timings: Timings;
  readonly quotaBytes: number;
  /** Names of the alarms that this member knows of, and whose they are. */
  readonly alarms: () => readonly { readonly memberId: bigint; readonly name: string }[];
  /** Of the keys that this member has, of whatever shards. */
  readonly figures: () => StateFigures;
  readonly groupStatus: () => GroupStatus;
  readonly status: () => Pick<BackendStatus, 'memberId' | 'leaderId' | 'isLearner'>;
  readonly memberIdOf: (nodeId: NodeId) => bigint | null;
}

/** Of a state, be it one group's or that of many shards. Each is found when it is asked for. */
export interface StateFigures {
  readonly keyCount: number;
  readonly revision: number;
  readonly compactRevision: number;
  readonly sessions: DatabaseStats['sessions'];
}

/** How long the disk takes. */
export interface Timings {
  readonly logSyncs: Histogram;
  readonly commits: Histogram;
}

/** What the member has asked of the cluster: plain numbers. */
export interface RequestCounts {
  proposalsPending: number;
  proposalsFailed: number;
  readBarriersFailed: number;
  slowReadBarriers: number;
  leaderChanges: number;
}

export function createRequestCounts(): RequestCounts {
  return {
    proposalsPending: 0,
    proposalsFailed: 0,
    readBarriersFailed: 0,
    slowReadBarriers: 0,
    leaderChanges: 0,
  };
}

/** Everything that is true of a member, and not of its process. */
export function memberMetrics(sources: MetricSources): readonly Metric[] {
  return [
    ...serverMetrics(sources),
    ...storeMetrics(sources),
    ...diskMetrics(sources),
    ...peerMetrics(sources),
    ...hostMetrics(sources),
    ...healthMetrics(sources.health),
    ...callMetrics(sources.calls),
  ];
}

function serverMetrics({ requests, ...sources }: MetricSources): readonly Metric[] {
  const { groupStatus, status } = sources;
  return [
    gauge('etcd_server_has_leader', '1: this member knows a leader', () => Number(status().leaderId !== 0n)),
    gauge('etcd_server_is_leader', '1: this member leads', () => Number(groupStatus().role === 'leader')),
    gauge('etcd_server_is_learner', '1: this member does not vote', () => Number(status().isLearner)),
    counter(
      'etcd_server_leader_changes_seen_total',
      'Leaders that this member has come to know',
      () => requests.leaderChanges,
    ),
    gauge(
      'etcd_server_proposals_committed_total',
      'Index of the last committed entry',
      () => groupStatus().commit,
    ),
    gauge(
      'etcd_server_proposals_applied_total',
      'Index of the last applied entry',
      () => groupStatus().applied,
    ),
    gauge(
      'etcd_server_proposals_pending',
      'Proposals of this member that wait for their result',
      () => requests.proposalsPending,
    ),
    counter(
      'etcd_server_proposals_failed_total',
      'Proposals of this member without a known result',
      () => requests.proposalsFailed,
    ),
    counter(
      'etcd_server_read_indexes_failed_total',
      'Read barriers that failed',
      () => requests.readBarriersFailed,
    ),
    counter(
      'etcd_server_slow_read_indexes_total',
      'Read barriers that took longer than a second',
      () => requests.slowReadBarriers,
    ),
    counter(
      'etcd_server_slow_apply_total',
      'Batches of entries that took longer than 100 ms to apply',
      () => sources.database.counts.slowApplies,
    ),
    gauge('etcd_server_snapshot_apply_in_progress_total', '1: a snapshot is being installed', () =>
      Number(!groupStatus().stateReady),
    ),
    gauge(
      'etcd_server_quota_backend_bytes',
      'Size of the state at which puts are refused',
      () => sources.quotaBytes,
    ),
    one('etcd_server_version', 'Version of the API, as a label', () => ({ server_version: API_VERSION })),
    one('etcd_cluster_version', 'Version of the cluster, as a label', () => ({
      cluster_version: API_VERSION.replace(/\.[^.]*$/, ''),
    })),
    one('etcd_server_id', 'Id of this member, as a label', () => ({
      server_id: status().memberId.toString(16),
    })),
    labelled('gauge', 'etcd_debugging_server_alarms', 'Alarms that are raised, by member and kind', () =>
      sources.alarms().map(({ memberId, name }) => ({
        labels: { server_id: memberId.toString(16), alarm_type: name },
        value: 1,
      })),
    ),
  ];
}

function storeMetrics({ database, figures }: MetricSources): readonly Metric[] {
  const { counts, watches } = database;
  const executed = (kind: keyof typeof counts.executed): number => counts.executed[kind] ?? 0;
  return [
    counter('etcd_mvcc_range_total', 'Ranges read, those of transactions included', () => counts.ranges),
    counter('etcd_mvcc_put_total', 'Puts applied, those of transactions included', () => counts.puts),
    counter(
      'etcd_mvcc_delete_total',
      'Deletions applied, those of transactions included',
      () => counts.deletes,
    ),
    counter('etcd_mvcc_txn_total', 'Transactions of more than one operation', () => counts.transactions),
    counter('etcd_debugging_mvcc_range_total', 'Older name of etcd_mvcc_range_total', () => counts.ranges),
    counter('etcd_debugging_mvcc_put_total', 'Older name of etcd_mvcc_put_total', () => counts.puts),
    counter('etcd_debugging_mvcc_delete_total', 'Older name of etcd_mvcc_delete_total', () => counts.deletes),
    counter('etcd_debugging_mvcc_txn_total', 'Older name of etcd_mvcc_txn_total', () => counts.transactions),
    gauge(
      'etcd_debugging_mvcc_total_put_size_in_bytes',
      'Bytes of the requests that put something',
      () => counts.putBytes,
    ),
    gauge(
      'etcd_mvcc_db_total_size_in_bytes',
      'Bytes that the storage takes, free pages included',
      () => database.stats.storageBytes,
    ),
    gauge(
      'etcd_debugging_mvcc_db_total_size_in_bytes',
      'Older name of etcd_mvcc_db_total_size_in_bytes',
      () => database.stats.storageBytes,
    ),
    gauge(
      'etcd_mvcc_db_total_size_in_use_in_bytes',
      'Bytes of all versions of keys that are kept',
      () => database.stats.liveBytes,
    ),
    gauge('etcd_debugging_mvcc_keys_total', 'Keys', () => figures().keyCount),
    gauge('etcd_debugging_mvcc_current_revision', 'The newest revision', () => figures().revision),
    gauge(
      'etcd_debugging_mvcc_compact_revision',
      'The newest compacted revision',
      () => figures().compactRevision,
    ),
    gauge('etcd_debugging_mvcc_watch_stream_total', 'Streams of watches', () => watches.streamCount),
    gauge('etcd_debugging_mvcc_watcher_total', 'Watches', () => watches.watcherCount),
    gauge('etcd_debugging_mvcc_slow_watcher_total', 'Watches that are behind', () => watches.behindCount),
    counter('etcd_debugging_mvcc_events_total', 'Events sent to watches', () => watches.eventsSent),
    counter('etcd_debugging_lease_granted_total', 'Leases granted', () => executed('lease-grant')),
    counter('etcd_debugging_lease_revoked_total', 'Leases revoked by clients', () =>
      executed('lease-revoke'),
    ),
    counter('etcd_debugging_lease_renewed_total', 'Renewals applied', () => executed('lease-renew')),
    gauge(
      'etcd_debugging_auth_revision',
      'Revision of users, roles and permissions',
      () => database.auth.revision,
    ),
    gauge(
      'flotilla_storage_buffered_bytes',
      'Bytes that are applied and not in a commit yet',
      () => database.stats.bufferedBytes,
    ),
    gauge('flotilla_sessions', 'Sessions of clients that are known', () => figures().sessions.count),
    gauge(
      'flotilla_sessions_forgotten',
      'Names of forgotten sessions that are still refused',
      () => figures().sessions.forgotten,
    ),
    gauge(
      'flotilla_sessions_reply_bytes',
      'What the kept replies of sessions take',
      () => figures().sessions.bytes,
    ),
    labelled(
      'counter',
      'flotilla_proposals_executed_total',
      'Proposals applied that are not plain operations on keys, by kind',
      () => Object.entries(counts.executed).map(([kind, value]) => ({ labels: { kind }, value })),
    ),
  ];
}

function diskMetrics({ host, timings }: MetricSources): readonly Metric[] {
  return [
    histogram(
      'etcd_disk_wal_fsync_duration_seconds',
      'How long an append to the log takes, its sync included',
      timings.logSyncs,
    ),
    histogram(
      'etcd_disk_backend_commit_duration_seconds',
      'How long a commit to the storage takes',
      timings.commits,
    ),
    gauge(
      'etcd_disk_wal_write_bytes_total',
      'Bytes written to the log',
      () => host.status().log.writtenBytes,
    ),
    counter('flotilla_log_syncs_total', 'Syncs of the log', () => host.status().log.syncs),
    gauge('flotilla_log_size_bytes', 'Bytes that the log takes', () => host.status().log.totalBytes),
    gauge(
      'flotilla_log_live_bytes',
      'Bytes of the log that have not been compacted away',
      () => host.status().log.liveBytes,
    ),
    gauge('flotilla_log_segments', 'Segments of the log', () => host.status().log.segments),
    counter(
      'flotilla_disk_stalls_total',
      'Appends to the log that were outstanding for too long',
      () => host.metrics.diskStalls,
    ),
  ];
}

function peerMetrics({ host, memberIdOf, status }: MetricSources): readonly Metric[] {
  const remote = (peer: PeerStatus): string => hex(memberIdOf(peer.id) ?? BigInt(peer.id));
  const known = (valueOf: (peer: PeerStatus) => number) => () =>
    host.status().peers.map((peer) => ({
      labels: { Local: hex(status().memberId), Remote: remote(peer) },
      value: valueOf(peer),
    }));
  const bytes = (label: 'To' | 'From', valueOf: (peer: PeerStatus) => number) => () =>
    host.status().peers.map((peer) => ({ labels: { [label]: remote(peer) }, value: valueOf(peer) }));
  return [
    labelled(
      'gauge',
      'etcd_network_known_peers',
      'Members that this one knows',
      known(() => 1),
    ),
    labelled(
      'gauge',
      'etcd_network_active_peers',
      '1: connected, and heard of',
      known(({ alive }) => Number(alive)),
    ),
    labelled(
      'counter',
      'etcd_network_peer_sent_bytes_total',
      'Bytes to another member',
      bytes('To', ({ bytesSent }) => bytesSent),
    ),
    labelled(
      'counter',
      'etcd_network_peer_received_bytes_total',
      'Bytes of another member',
      bytes('From', ({ bytesReceived }) => bytesReceived),
    ),
  ];
}

function hex(memberId: bigint): string {
  return memberId.toString(16);
}

/** What Raft's host counts: our own names, as it is our own machine. */
function hostMetrics({ host: { metrics } }: MetricSources): readonly Metric[] {
  const of = (name: string, help: string, read: () => number): Metric =>
    counter(`flotilla_raft_${name}_total`, help, read);
  return [
    of('messages_sent', 'Messages to other members', () => metrics.messagesSent),
    of('messages_received', 'Messages of other members', () => metrics.messagesReceived),
    of(
      'messages_dropped',
      'Messages that found no connection, or a full queue',
      () => metrics.messagesDropped,
    ),
    of('sent_bytes', 'Bytes to other members', () => metrics.bytesSent),
    of('received_bytes', 'Bytes of other members', () => metrics.bytesReceived),
    of('connections_opened', 'Connections with other members', () => metrics.connectionsOpened),
    of('connections_lost', 'Connections with other members that were lost', () => metrics.connectionsLost),
    of('entries_appended', 'Entries appended to the log', () => metrics.entriesAppended),
    of('log_appends', 'Writes to the log, each for all entries of a turn', () => metrics.logAppends),
    of('apply_batches', 'Batches in which entries were applied', () => metrics.applyBatches),
    of(
      'proposals_repeated',
      'Proposals that were lost for sure and proposed again',
      () => metrics.proposalsRepeated,
    ),
    of('read_rounds', 'Rounds that confirmed leadership for reads', () => metrics.readRounds),
    of('lease_reads', "Reads that the leader's lease answered", () => metrics.leaseReads),
    of('snapshots_sent', 'Snapshots sent to other members', () => metrics.snapshotsSent),
    of('snapshots_received', 'Snapshots received from other members', () => metrics.snapshotsReceived),
    of('compactions', 'Compactions of the log', () => metrics.compactions),
    of(
      'pauses',
      'Times that the process found itself stopped for an election time-out',
      () => metrics.pauses,
    ),
  ];
}

function healthMetrics(health: HealthCounts): readonly Metric[] {
  return [
    counter('etcd_server_health_success', 'Answers of /health that all is well', () => health.healthy),
    counter(
      'etcd_server_health_failures',
      'Answers of /health that something is not',
      () => health.unhealthy,
    ),
    labelled('gauge', 'etcd_server_healthcheck', '1: the check went well the last time', () =>
      [...health.checks.values()]
        .filter(({ success, error }) => success + error > 0)
        .map(({ probe, check, succeededLast }) => ({
          labels: { name: check, type: probe },
          value: Number(succeededLast),
        })),
    ),
    labelled(
      'counter',
      'etcd_server_healthchecks_total',
      'Checks of /livez and /readyz, by how they went',
      () =>
        [...health.checks.values()].flatMap(({ probe, check, ...counts }) =>
          (['success', 'error'] as const)
            .filter((status) => counts[status] > 0)
            .map((status) => ({ labels: { name: check, status, type: probe }, value: counts[status] })),
        ),
    ),
  ];
}

/** Always 1; what it says is in its label. */
function one(name: string, help: string, labels: () => Readonly<Record<string, string>>): Metric {
  return labelled('gauge', name, help, () => [{ labels: labels(), value: 1 }]);
}
