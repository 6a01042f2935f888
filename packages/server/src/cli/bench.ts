import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import { FlotillaError } from '@flotilla/platform';
import { benchFill } from './bench/fill.ts';
import { benchPauses } from './bench/pauses.ts';
import { benchPut } from './bench/put.ts';
import { benchRange } from './bench/range.ts';
import type { BenchReport, BenchSettings } from './bench/settings.ts';
import { benchWatch } from './bench/watch.ts';
import { benchWatchers } from './bench/watchers.ts';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla bench put|range|watch|fill|pauses|watchers`: puts load on any endpoint that speaks etcd's v3 API and prints one line of JSON.
 * `flotilla bench shards` measures clusters of its own.
 * Latencies are in milliseconds, CPU per request in microseconds.
 */
export async function run(args: readonly string[]): Promise<number> {
  if (args[0] === 'shards') return await benchShards(args.slice(1));
  const command = subcommand('bench', 'measure an endpoint of Flotilla or etcd; prints one line of JSON')
    .argument('<operation>', operationNames)
    .option('--endpoints <list>', 'addresses of members, separated by commas', 'http://127.0.0.1:2379')
    .option('--clients <count>', 'requests under way at a time; of watch: watchers', count, 64)
    .option(
      '--conns <count>',
      'connections, spread over the endpoints in turn; 0: one for 32 clients',
      countOrZero,
      0,
    )
    .option('--total <count>', 'stop after so many requests', count)
    .option('--seconds <seconds>', 'stop after so long; 10 unless --total is given', seconds)
    .option(
      '--rate <perSecond>',
      'requests per second, latency counted from when each was due; 0: as fast as it goes',
      countOrZero,
      0,
    )
    .option('--key-size <bytes>', 'bytes of a key', count, 16)
    .option('--value-size <bytes>', 'bytes of a value', countOrZero, 256)
    .option('--key-space <count>', 'how many different keys', count, 1_000)
    .option('--batch <count>', 'fill: puts in one transaction', count, 100)
    .option('--watches <count>', 'watchers: how many watches, over all connections', count, 10_000)
    .option('--prefixes <count>', 'watchers: how many prefixes are watched and written', count, 1_000)
    .option('--limit <count>', 'range: read so many keys at a time instead of one', countOrZero, 0)
    .option('--count-only', 'range: count all keys instead of reading one', false)
    .option('--serializable', "range: read the member's own state, which may lag", false)
    .option('--server-pids <list>', 'processes whose CPU time is reported, separated by commas', pids, [])
    .addHelpText('after', '\nLatencies are in milliseconds, CPU per request in microseconds.');
  command.parse(args, { from: 'user' });
  const report = await measure(command.args[0] ?? '', settingsOf(command.opts()));
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return 0;
}

const operationNames = 'put, range, watch, fill, pauses or watchers; or shards, which has options of its own';

/** Its parts are beside the sources, as the simulations are: a published package has none. */
async function benchShards(args: readonly string[]): Promise<number> {
  const path = fileURLToPath(new URL('../../bench/shards/main.ts', import.meta.url));
  if (!existsSync(path)) {
    throw new FlotillaError('FLOTILLA_USAGE', 'bench shards is part of a checkout of the sources');
  }
  const module = (await import(path)) as { run(args: readonly string[]): Promise<number> };
  return await module.run(args);
}

function measure(operation: string, settings: BenchSettings): Promise<BenchReport> {
  switch (operation) {
    case 'put':
      return benchPut(settings);
    case 'range':
      return benchRange(settings);
    case 'watch':
      return benchWatch(settings);
    case 'fill':
      return benchFill(settings);
    case 'pauses':
      return benchPauses(settings);
    case 'watchers':
      return benchWatchers(settings);
    default:
      throw new FlotillaError(
        'FLOTILLA_INVALID_ARGUMENT',
        `bench measures ${operationNames}, not ${JSON.stringify(operation)}`,
      );
  }
}

interface Options extends Omit<BenchSettings, 'endpoints' | 'total' | 'seconds' | 'conns'> {
  readonly endpoints: string;
  readonly conns: number;
  readonly total?: number;
  readonly seconds?: number;
}

const CLIENTS_PER_CONNECTION = 32;
const DEFAULT_SECONDS = 10;

function settingsOf(options: Options): BenchSettings {
  const endpoints = options.endpoints.split(',').filter((endpoint) => endpoint !== '');
  const conns = options.conns > 0 ? options.conns : Math.ceil(options.clients / CLIENTS_PER_CONNECTION);
  return {
    ...options,
    endpoints,
    conns,
    total: options.total ?? Number.POSITIVE_INFINITY,
    seconds: options.seconds ?? (options.total === undefined ? DEFAULT_SECONDS : Number.POSITIVE_INFINITY),
  };
}

function count(text: string): number {
  const value = countOrZero(text);
  if (value === 0) throw new InvalidArgumentError('It must be at least 1.');
  return value;
}

function countOrZero(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('It must be a positive number.');
  return value;
}

function pids(text: string): readonly number[] {
  return text.split(',').map(count);
}
