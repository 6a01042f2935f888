import { spawnSync } from 'node:child_process';
import type { Cluster } from './clusters.ts';
import { launcher } from './clusters.ts';

/** One line of the table, as arguments of `flotilla bench`. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  readonly args: readonly string[];
}

export const workloads: readonly Workload[] = [
  { name: 'put-1', title: 'put, 1 client', args: ['put', '--clients', '1'] },
  { name: 'put-64', title: 'put, 64 clients', args: ['put', '--clients', '64', '--conns', '6'] },
  { name: 'put-256', title: 'put, 256 clients', args: ['put', '--clients', '256', '--conns', '12'] },
  {
    name: 'range',
    title: 'linearizable range, 64 clients',
    args: ['range', '--clients', '64', '--conns', '6'],
  },
  {
    name: 'range-serializable',
    title: 'serializable range, 64 clients',
    args: ['range', '--serializable', '--clients', '64', '--conns', '6'],
  },
  {
    name: 'watch',
    title: 'watch, 100 puts/s to 12 watchers',
    args: ['watch', '--clients', '12', '--conns', '3', '--rate', '100'],
  },
];

/** What of the command's line goes into the table. */
export interface Sample {
  readonly throughput: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly serverCpuPerRequestUs: number | null;
  readonly errors: number;
  readonly error: string | null;
}

/** In a process of its own, so that one measurement's garbage does not slow the next. */
export function benchOnce(cluster: Cluster, workload: Workload, seconds: string): Sample {
  const target = ['--endpoints', cluster.endpoints.join(','), '--server-pids', cluster.pids.join(',')];
  const args = [launcher, 'bench', ...workload.args, '--seconds', seconds, ...target];
  const done = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${workload.name} on ${cluster.name} failed: ${done.stderr}`);
  return JSON.parse(done.stdout) as Sample;
}
