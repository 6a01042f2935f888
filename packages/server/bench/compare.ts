import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir, type } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { startEtcd, startFlotilla } from './clusters.ts';
import type { Cluster } from './clusters.ts';
import { benchOnce, workloads } from './workloads.ts';
import type { Sample, Workload } from './workloads.ts';

/**
 * Flotilla beside etcd: three members of each on this machine at the same time, the same load on one and then the
 * other, again and again, and a Markdown table of the medians. Run it with `npm run bench:compare`.
 *
 * Rounds are interleaved, and their order alternates, because a machine is not equally fast from minute to minute.
 */
async function main(): Promise<void> {
  const command = new Command('bench:compare')
    .description('measure Flotilla beside the etcd that is installed')
    .option('--rounds <count>', 'rounds, of which the median counts', '3')
    .option('--seconds <seconds>', 'of each measurement', '5')
    .option('--warm-up <seconds>', 'before the first round, not counted', '3')
    .option('--directory <path>', 'where both keep their data, on the same disk', tmpdir())
    .option('--only <names>', 'workloads, separated by commas');
  command.parse();
  const options = command.opts<Options>();
  const directory = mkdtempSync(join(resolve(options.directory), 'flotilla-compare-'));
  const clusters: Cluster[] = [];
  try {
    clusters.push(await startFlotilla(join(directory, 'flotilla')));
    const etcd = await startEtcd(join(directory, 'etcd'));
    if (etcd === null) process.stderr.write('etcd is not installed: Flotilla is measured alone\n');
    else clusters.push(etcd);
    const results = measure(clusters, chosen(options.only), options);
    process.stdout.write(`${describeMachine(clusters, options)}\n\n${table(results)}\n`);
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Options {
  readonly rounds: string;
  readonly seconds: string;
  readonly warmUp: string;
  readonly directory: string;
  readonly only?: string;
}

interface Result {
  readonly workload: Workload;
  readonly cluster: Cluster;
  readonly samples: Sample[];
}

function chosen(only: string | undefined): readonly Workload[] {
  if (only === undefined) return workloads;
  const names = only.split(',');
  return workloads.filter(({ name }) => names.includes(name));
}

function measure(
  clusters: readonly Cluster[],
  chosenWorkloads: readonly Workload[],
  options: Options,
): readonly Result[] {
  const results: Result[] = chosenWorkloads.flatMap((workload) =>
    clusters.map((cluster) => ({ workload, cluster, samples: [] })),
  );
  for (const { cluster, workload } of results) {
    if (Number(options.warmUp) > 0) benchOnce(cluster, workload, options.warmUp);
  }
  for (let round = 1; round <= Number(options.rounds); round += 1) {
    for (const result of round % 2 === 1 ? results : [...results].reverse()) {
      const sample = benchOnce(result.cluster, result.workload, options.seconds);
      result.samples.push(sample);
      const line = `round ${round}: ${result.workload.name}, ${result.cluster.name}: ${sample.throughput}/s`;
      process.stderr.write(
        `${line}${sample.errors > 0 ? `, ${sample.errors} errors (${sample.error})` : ''}\n`,
      );
    }
  }
  return results;
}

function describeMachine(clusters: readonly Cluster[], options: Options): string {
  const processors = cpus();
  const memberText = clusters.map(({ version }) => version).join(' and ');
  return [
    `${memberText}, three members each on one machine, load generator included:`,
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${type()} ${release()}, Node.js ${process.version};`,
    `values of 256 bytes, medians of ${options.rounds} interleaved rounds of ${options.seconds} s.`,
  ].join(' ');
}

function table(results: readonly Result[]): string {
  const rows = results.map(({ workload, cluster, samples }) => [
    workload.title,
    cluster.name,
    thousands(median(samples.map(({ throughput }) => throughput))),
    median(samples.map(({ p50 }) => p50)).toFixed(2),
    median(samples.map(({ p99 }) => p99)).toFixed(2),
    median(samples.map(({ p999 }) => p999)).toFixed(2),
    Math.round(median(samples.map(({ serverCpuPerRequestUs }) => serverCpuPerRequestUs ?? 0))).toString(),
    String(samples.reduce((sum, { errors }) => sum + errors, 0)),
  ]);
  const head = [
    'workload',
    'server',
    'per second',
    'p50 ms',
    'p99 ms',
    'p99.9 ms',
    'server CPU µs',
    'errors',
  ];
  const rule = head.map((_, column) => (column < 2 ? '---' : '---:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

await main();
