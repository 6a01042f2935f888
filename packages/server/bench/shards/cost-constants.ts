import { percentile } from './figures.ts';
import type { ShardCluster } from './shard-cluster.ts';

/** What one member has done and used in a stretch of time. */
export interface Work {
  readonly cpuUs: number;
  readonly seconds: number;
  /** Requests of clients that came to it. */
  readonly requests: number;
  readonly messages: number;
  readonly entries: number;
  readonly appends: number;
  /** In all appends together. */
  readonly appendSeconds: number;
  readonly peerBytes: number;
  readonly logBytes: number;
}

/** Microseconds of processor time; `idle` for every second. Time of a sync in milliseconds. */
export interface CostConstants {
  readonly request: number;
  readonly message: number;
  readonly entry: number;
  readonly append: number;
  readonly idle: number;
  readonly syncMs: number;
  /** Of the load generator, for a request. */
  readonly client: number;
}

export type Counters = Omit<Work, 'seconds' | 'requests'>;

/** As members' own metrics say it. */
export async function countersOf({ endpoints }: ShardCluster): Promise<readonly Counters[]> {
  return await Promise.all(
    endpoints.map(async (endpoint) => {
      const text = await (await fetch(`${endpoint}/metrics`)).text();
      const sum = (name: string): number =>
        [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? ([0-9.e+-]+)$`, 'gm'))].reduce(
          (total, match) => total + Number(match[1]),
          0,
        );
      return {
        cpuUs: sum('process_cpu_seconds_total') * 1e6,
        messages: sum('flotilla_raft_messages_sent_total') + sum('flotilla_raft_messages_received_total'),
        entries: sum('flotilla_raft_entries_appended_total'),
        appends: sum('flotilla_raft_log_appends_total'),
        appendSeconds: sum('etcd_disk_wal_fsync_duration_seconds_sum'),
        peerBytes: sum('etcd_network_peer_sent_bytes_total'),
        logBytes: sum('etcd_disk_wal_write_bytes_total'),
      };
    }),
  );
}

export function workBetween(
  before: readonly Counters[],
  after: readonly Counters[],
  seconds: number,
  requests: number,
): readonly Work[] {
  return after.map((now, i) => {
    const then = before[i] as Counters;
    const since = (name: keyof Counters): number => now[name] - then[name];
    return {
      cpuUs: since('cpuUs'),
      seconds,
      // Connections are spread evenly.
      requests: requests / after.length,
      messages: since('messages'),
      entries: since('entries'),
      appends: since('appends'),
      appendSeconds: since('appendSeconds'),
      peerBytes: since('peerBytes'),
      logBytes: since('logBytes'),
    };
  });
}

const SWEEPS = 20_000;

/**
 * Constants that explain the processor time of all members in all stretches best, none of them negative: least squares of
 * the relative error, one constant after the other until nothing changes. `idle`: what a member uses in a second in which
 * nothing is asked; fitted like the others, it would take from them what members have in common.
 */
export function fitConstants(work: readonly Work[], idle: number, clientUs: number): CostConstants {
  const rows = work.map((one) => [one.requests, one.messages, one.entries, one.appends]);
  const costs = work.map(({ cpuUs, seconds }) => Math.max(1, cpuUs - idle * seconds));
  const scaled = rows.map((row, i) => row.map((value) => value / (costs[i] as number)));
  const constants = [0, 0, 0, 0];
  const errors = scaled.map(() => 1);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (const [column, before] of constants.entries()) {
      let along = 0;
      let across = 0;
      for (const [i, row] of scaled.entries()) {
        const value = row[column] as number;
        along += value * ((errors[i] as number) + before * value);
        across += value * value;
      }
      const next = across === 0 ? 0 : Math.max(0, along / across);
      for (const [i, row] of scaled.entries()) {
        errors[i] = (errors[i] as number) + (before - next) * (row[column] as number);
      }
      constants[column] = next;
    }
  }
  const [request, message, entry, append] = constants as [number, number, number, number];
  const syncs = work.map(({ appendSeconds, appends }) => (1_000 * appendSeconds) / Math.max(1, appends));
  return { request, message, entry, append, idle, syncMs: percentile(syncs, 50), client: clientUs };
}
