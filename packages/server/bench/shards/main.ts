import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, type } from 'node:os';
import { join, resolve } from 'node:path';
import { FlotillaError } from '@flotilla/platform';
import { Command } from 'commander';
import type { PartSettings } from './part-settings.ts';

interface Part {
  readonly name: string;
  readonly description: string;
  run(settings: PartSettings): Promise<string>;
}

const parts: readonly Part[] = [
  {
    name: 'second-round',
    description: 'requests of a cluster of sixteen shards beside those of one',
    run: async (settings) => (await import('./second-round.ts')).secondRound(settings),
  },
  {
    name: 'reconfiguration',
    description: 'what clients notice of splits, merges and moves',
    run: async (settings) => (await import('./reconfiguration.ts')).reconfiguration(settings),
  },
  {
    name: 'node-loss',
    description: 'how long it takes until everything is back',
    run: async (settings) => (await import('./node-loss.ts')).nodeLoss(settings),
  },
  {
    name: 'cost-model',
    description: 'throughput of shards that have nodes of their own, from costs measured here',
    run: async (settings) => (await import('./cost-model.ts')).costModel(settings),
  },
  {
    name: 'idle',
    description: 'shards that have nothing to do',
    run: async (settings) => (await import('./idle.ts')).idle(settings),
  },
];

/** `flotilla bench shards [part…]`: prints a report of each. */
export async function run(args: readonly string[]): Promise<number> {
  const command = new Command('flotilla bench shards')
    .description('measure what shards cost and give; starts its own clusters on this machine')
    .argument('[part...]', `all but when named: ${parts.map(({ name }) => name).join(', ')}`)
    .option('--rounds <count>', 'interleaved rounds, of which the median counts', '3')
    .option('--seconds <seconds>', 'of one measurement', '1.5')
    .option('--rate <perSecond>', 'of steady load: puts in the shard that is changed', '100')
    .option('--only <names>', 'workloads, separated by commas', '')
    .option('--shards <count>', 'of the idle part, each with three replicas in one process', '3334')
    .option('--idle-seconds <seconds>', 'of each round of the idle part', '10')
    .option('--base-port <port>', 'first of those that members listen on', '28379')
    .option('--directory <path>', 'where members keep their data', tmpdir());
  command.parse(args, { from: 'user' });
  const options = command.opts<Record<string, string>>();
  const directory = mkdtempSync(join(resolve(options['directory'] as string), 'flotilla-shards-'));
  const settings: PartSettings = {
    directory,
    basePort: Number(options['basePort']),
    rounds: Number(options['rounds']),
    seconds: Number(options['seconds']),
    rate: Number(options['rate']),
    only: (options['only'] as string).split(',').filter((name) => name !== ''),
    shards: Number(options['shards']),
    idleSeconds: Number(options['idleSeconds']),
  };
  try {
    for (const part of chosen(command.args)) await runPart(part, settings);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return 0;
}

function chosen(names: readonly string[]): readonly Part[] {
  if (names.length === 0) return parts;
  return names.map((name) => {
    const part = parts.find((one) => one.name === name);
    if (part !== undefined) return part;
    const all = parts.map((one) => one.name).join(', ');
    throw new FlotillaError('FLOTILLA_USAGE', `bench shards has ${all}, not ${JSON.stringify(name)}`);
  });
}

async function runPart(part: Part, settings: PartSettings): Promise<void> {
  const begun = performance.now();
  const load = loadavg()[0] as number;
  const text = await part.run(settings);
  const seconds = (performance.now() - begun) / 1_000;
  const processors = cpus();
  const machine = `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${type()} ${release()}, Node.js ${process.version}`;
  const loads = `load average ${load.toFixed(1)} before and ${(loadavg()[0] as number).toFixed(1)} after`;
  process.stdout.write(
    `## ${part.name}: ${part.description}\n\n${text}\n\n${machine}; ${loads}; ${seconds.toFixed(0)} s in all.\n\n`,
  );
}
