import type { BenchReport } from '../../src/cli/bench/settings.ts';
import { median, milliseconds, table, thousands, times } from './figures.ts';
import { fillPlaces, measureOnce } from './measure.ts';
import type { PartSettings } from './part-settings.ts';
import { ShardCluster } from './shard-cluster.ts';
import { countOfAll, put, rangeOfEach, rangeOfOne, twoPuts, type Workload } from './shard-workloads.ts';

const SHARDS = 16;
const every = Array.from({ length: SHARDS }, (_, place) => place);
/** Those with a log of their own. */
const others = every.slice(1);

interface Line {
  readonly workload: Workload;
  readonly clients: readonly number[];
}

const lines: readonly Line[] = [
  { workload: put('put', 'put', every), clients: [1, 16, 64, 256] },
  { workload: put('put-shard-0', 'put, keys of shard 0', [0]), clients: [1, 64] },
  { workload: put('put-other', 'put, keys of other shards', others), clients: [1, 64] },
  { workload: twoPuts('txn-one', 'two puts in one shard', others, false), clients: [1, 64] },
  { workload: twoPuts('txn-two', 'two puts in two shards', others, true), clients: [1, 16, 64, 256] },
  { workload: rangeOfOne('range-one', 'linearizable range of a key', every), clients: [1, 16, 64, 256] },
  { workload: rangeOfEach('range-each', 'one read of a key in each shard', every), clients: [1, 16] },
  { workload: countOfAll('count', 'count of all keys'), clients: [1, 16] },
];

interface Result {
  readonly line: Line;
  readonly clients: number;
  readonly cluster: ShardCluster;
  readonly samples: BenchReport[];
}

/** What a request costs in a cluster of sixteen shards, beside one of one: five members each, in turn. */
export async function secondRound(settings: PartSettings): Promise<string> {
  const { directory, rounds, seconds, only, basePort } = settings;
  const clusters: ShardCluster[] = [];
  try {
    for (const shards of [1, SHARDS]) {
      const port = basePort + 20 * clusters.length;
      const plan = { name: `shards-${shards}`, nodes: 5, shards, directory, basePort: port };
      clusters.push(await ShardCluster.start(plan));
    }
    for (const cluster of clusters) await fillPlaces(cluster, every);
    const chosen = lines.filter(({ workload }) => only.length === 0 || only.includes(workload.name));
    const results: Result[] = chosen.flatMap((line) =>
      line.clients.flatMap((clients) => clusters.map((cluster) => ({ line, clients, cluster, samples: [] }))),
    );
    for (let round = 1; round <= rounds; round += 1) {
      for (const { line, clients, cluster, samples } of round % 2 === 1 ? results : [...results].reverse()) {
        samples.push(await measureOnce(cluster, line.workload, { clients, seconds }));
      }
      process.stderr.write(`second-round: round ${round} of ${rounds}\n`);
    }
    return report(results, settings);
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()));
  }
}

function report(results: readonly Result[], { rounds, seconds }: PartSettings): string {
  const rows: string[][] = [];
  let errors = 0;
  for (let at = 0; at < results.length; at += 2) {
    const [one, many] = results.slice(at, at + 2) as [Result, Result];
    const figure = (result: Result, of: (report: BenchReport) => number): number =>
      median(result.samples.map(of));
    const rate = (result: Result): number => figure(result, ({ throughput }) => throughput);
    const p50 = (result: Result): number => figure(result, (sample) => sample.p50);
    const p99 = (result: Result): number => figure(result, (sample) => sample.p99);
    const cpu = (result: Result): number =>
      figure(result, (sample) => sample.serverCpuPerRequestUs ?? Number.NaN);
    for (const { samples } of [one, many]) errors += samples.reduce((sum, sample) => sum + sample.errors, 0);
    rows.push([
      one.line.workload.title,
      String(one.clients),
      ...[one, many].flatMap((result) => [
        thousands(rate(result)),
        milliseconds(p50(result)),
        milliseconds(p99(result)),
        thousands(cpu(result)),
      ]),
      times(rate(many) / rate(one)),
      times(p50(many) / p50(one)),
      times(p99(many) / p99(one)),
      times(cpu(many) / cpu(one)),
    ]);
  }
  const figures = ['/s', 'p50 ms', 'p99 ms', 'CPU µs'];
  const head = [
    'request',
    'clients',
    ...figures.map((name) => `1 shard: ${name}`),
    ...figures.map((name) => `${SHARDS}: ${name}`),
    ...figures.map((name) => `ratio ${name.split(' ')[0]}`),
  ];
  return [
    `Five members each, clients spread over all of them; ${rounds} interleaved rounds of ${seconds} s, medians; values of 256 bytes.`,
    `CPU: of all members together, for one request. Errors: ${errors}.`,
    '',
    table(head, rows),
  ].join('\n');
}
