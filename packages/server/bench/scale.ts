import { mkdtempSync, rmSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, type } from 'node:os';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { bench } from './bench-process.ts';
import type { Report } from './bench-process.ts';
import { Members, etcd, flotilla } from './members.ts';
import type { Program, StartTimes } from './members.ts';

/**
 * What a large key space and many watches cost: one member and three of Flotilla, and one of etcd beside them, each
 * filled, started again and timed, read while it compacts and sends a snapshot, and watched. Run it with
 * `npm run bench:scale`; small sizes are for trying it out.
 */
async function main(): Promise<void> {
  const command = new Command('bench:scale')
    .description('measure starts, memory, pauses and watches with a large key space')
    .option('--keys <count>', 'keys', '1000000')
    .option('--value-size <bytes>', 'bytes of a value', '100')
    .option('--watches <count>', 'watches', '10000')
    .option('--connections <count>', 'connections that the watches are on', '100')
    .option('--prefixes <count>', 'prefixes that are watched', '1000')
    .option('--rate <perSecond>', 'puts under them', '500')
    .option('--seconds <seconds>', 'of puts, without watches and with', '60')
    .option('--only <names>', 'of flotilla-1, flotilla-3, etcd-1; separated by commas')
    .option('--directory <path>', 'where data is kept meanwhile', tmpdir());
  command.parse();
  const options = command.opts<Options>();
  const directory = mkdtempSync(join(resolve(options.directory), 'flotilla-scale-'));
  const results: Result[] = [];
  try {
    for (const { name, program, members } of plans(options.only)) {
      results.push(await measure(name, new Members(program, members, join(directory, name)), options));
    }
  } finally {
    // A run takes long: what was measured is printed when the next server fails, too.
    if (results.length > 0)
      process.stdout.write(`${describeMachine(options)}\n\n${table(results, options)}\n`);
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Options {
  readonly keys: string;
  readonly valueSize: string;
  readonly watches: string;
  readonly connections: string;
  readonly prefixes: string;
  readonly rate: string;
  readonly seconds: string;
  readonly only?: string;
  readonly directory: string;
}

interface Plan {
  readonly name: string;
  readonly program: Program;
  readonly members: number;
}

function plans(only: string | undefined): readonly Plan[] {
  const all: Plan[] = [
    { name: 'flotilla-1', program: flotilla, members: 1 },
    { name: 'flotilla-3', program: flotilla, members: 3 },
    { name: 'etcd-1', program: etcd, members: 1 },
  ];
  const chosen = only === undefined ? all : all.filter(({ name }) => only.split(',').includes(name));
  return chosen.filter(({ program }) => {
    if (program.version() !== null) return true;
    process.stderr.write(`${program.name} is not installed: it is not measured\n`);
    return false;
  });
}

interface Result {
  readonly name: string;
  readonly members: Members;
  readonly fill: Report;
  readonly start: StartTimes;
  readonly restedBytes: number;
  readonly pauses: Report;
  readonly watchers: Report;
  /** The most that any member had resident, mapped files included, since it was started again; and now. */
  readonly peakBytes: number;
  readonly residentBytes: number;
  /** Of the resident bytes now those that are the process's own, not pages of its database file. */
  readonly ownBytes: number;
}

async function measure(name: string, members: Members, options: Options): Promise<Result> {
  const say = (text: string): void => void process.stderr.write(`${name}: ${text}\n`);
  try {
    await members.start();
    const size = ['--key-space', options.keys, '--value-size', options.valueSize];
    const target = (): string[] => [
      '--endpoints',
      members.endpoints.join(','),
      '--server-pids',
      members.pids.join(','),
    ];
    const fill = bench(['fill', '--clients', '16', '--conns', '4', ...size, ...target()]);
    say(`filled in ${fill.seconds} s`);
    await members.stop();
    const start = await members.start();
    say(`ready ${Math.round(start.readyMs)} ms after its start`);
    const restedBytes = largest(members.pids, 'VmRSS');
    const pauses = bench(['pauses', ...size, ...target()]);
    say(`longest answer ${pauses.max} ms`);
    const { watches, prefixes, connections, rate, seconds } = options;
    const load = ['--prefixes', prefixes, '--rate', rate, '--seconds', seconds, '--value-size', '100'];
    const watchers = bench(['watchers', '--watches', watches, '--conns', connections, ...load, ...target()]);
    say(`${String(watchers['exactWatches'])} watches saw exactly their events`);
    return {
      name,
      members,
      fill,
      start,
      restedBytes,
      pauses,
      watchers,
      peakBytes: largest(members.pids, 'VmHWM'),
      residentBytes: largest(members.pids, 'VmRSS'),
      ownBytes: largest(members.pids, 'RssAnon'),
    };
  } finally {
    await members.stop();
  }
}

/** Of `/proc/<pid>/status`, the largest among the processes, in bytes. */
function largest(pids: readonly number[], field: 'VmRSS' | 'VmHWM' | 'RssAnon'): number {
  return Math.max(
    ...pids.map((pid) => {
      const text = readFileSync(`/proc/${pid}/status`, 'utf8');
      return Number(new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
    }),
  );
}

function describeMachine(options: Options): string {
  const processors = cpus();
  const load = loadavg().map((value) => value.toFixed(1));
  return [
    `${options.keys} keys with values of ${options.valueSize} bytes, load generator on the same machine:`,
    `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown processor'}, ${type()} ${release()}, Node.js ${process.version},`,
    `load average at the end ${load.join(', ')}.`,
    `${options.watches} watches on ${options.connections} connections over ${options.prefixes} prefixes, ${options.rate} puts/s for ${options.seconds} s.`,
  ].join(' ');
}

interface Row {
  readonly title: string;
  readonly aim: string;
  cell(result: Result): string;
}

function table(results: readonly Result[], options: Options): string {
  const head = ['', 'aim', ...results.map(({ members }) => members.title)];
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  const body = rows(options).map((row) => [row.title, row.aim, ...results.map((result) => row.cell(result))]);
  return [head, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function rows(options: Options): readonly Row[] {
  const figures = (report: Report, name: string): Figures => report[name] as Figures;
  const pauseRow = (title: string, kind: 'range' | 'count', aim: string): Row => ({
    title,
    aim,
    cell: ({ pauses }) =>
      `${figures(pauses, kind).p99.toFixed(1)} / ${figures(pauses, kind).max.toFixed(1)} ms`,
  });
  const easeRow = (title: string, kind: 'range' | 'count'): Row => ({
    title,
    aim: '',
    cell: ({ pauses }) => {
      const { p99, max } = (pauses['atEase'] as Record<string, Figures>)[kind] as Figures;
      return `${p99.toFixed(1)} / ${max.toFixed(1)} ms`;
    },
  });
  return [
    { title: 'fill, keys/s', aim: '', cell: ({ fill }) => String(fill['keysPerSecond']) },
    {
      title: 'start to ready',
      aim: '3 s (three: 6 s)',
      cell: ({ start }) => `${(start.readyMs / 1_000).toFixed(2)} s`,
    },
    {
      title: 'of it: process and data / election / first read',
      aim: '',
      cell: ({ start: { answeringMs, electedMs, readyMs } }) =>
        [answeringMs, electedMs - answeringMs, readyMs - electedMs]
          .map((ms) => (ms / 1_000).toFixed(2))
          .join(' / '),
    },
    {
      title: 'CPU time of a start, of a member',
      aim: '',
      cell: ({ start }) => `${(start.cpuMs / 1_000).toFixed(2)} s`,
    },
    { title: 'resident after the start', aim: '600 MB', cell: ({ restedBytes }) => megabytes(restedBytes) },
    {
      title: 'resident at the end (its own)',
      aim: '600 MB',
      cell: ({ residentBytes, ownBytes }) => `${megabytes(residentBytes)} (${megabytes(ownBytes)})`,
    },
    { title: 'resident at most', aim: '600 MB', cell: ({ peakBytes }) => megabytes(peakBytes) },
    easeRow('limited range at ease, p99 / max', 'range'),
    easeRow('count at ease, p99 / max', 'count'),
    pauseRow('limited range during compaction and snapshot', 'range', '50 ms'),
    pauseRow('count during compaction and snapshot', 'count', '50 ms'),
    {
      title: 'compaction / snapshot took',
      aim: '',
      cell: ({ pauses }) =>
        `${Number(pauses['compactionMs']) / 1_000} / ${Number(pauses['snapshotMs']) / 1_000} s`,
    },
    {
      title: 'watches that saw exactly their events',
      aim: options.watches,
      cell: ({ watchers }) => `${String(watchers['exactWatches'])} (${String(watchers['events'])} events)`,
    },
    {
      title: 'put without watches, p50 / p99',
      aim: '',
      cell: ({ watchers }) => {
        const { p50, p99 } = figures(watchers, 'withoutWatchers');
        return `${p50.toFixed(2)} / ${p99.toFixed(2)} ms`;
      },
    },
    {
      title: 'put with watches, p50 / p99',
      aim: '',
      cell: ({ watchers: { p50, p99 } }) => `${p50.toFixed(2)} / ${p99.toFixed(2)} ms`,
    },
    {
      title: 'server CPU of a put, without / with watches',
      aim: '',
      cell: ({ watchers }) => {
        const alone = (watchers['withoutWatchers'] as Report).serverCpuPerRequestUs ?? 0;
        return `${Math.round(alone)} / ${Math.round(watchers.serverCpuPerRequestUs ?? 0)} µs`;
      },
    },
    {
      title: 'p99 with / without',
      aim: '2',
      cell: ({ watchers }) => String(watchers['p99Ratio']),
    },
    {
      title: 'errors',
      aim: '0',
      cell: ({ fill, pauses, watchers }) => String(fill.errors + pauses.errors + watchers.errors),
    },
  ];
}

interface Figures {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}

await main();
