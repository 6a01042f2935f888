import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aimed, table, thousands } from './figures.ts';
import { type IdleFigures, type IdlePlan, idleMembers } from './idle-figures.ts';
import type { PartSettings } from './part-settings.ts';

const AIM_BYTES = 10_000;
const AIM_PERCENT = 5;

/**
 * Shards that nobody asks for anything: what they take of memory and processor. Three whole members are in one process,
 * with their files, sockets and logs, so that each shard has three replicas there, and one of them leads.
 */
export async function idle({ directory, basePort, shards, idleSeconds }: PartSettings): Promise<string> {
  const figures = await figuresOf({ directory, basePort, shards, idleSeconds });
  const replicas = shards * idleMembers;
  const ofReplica = figures.bytes / replicas;
  // In a process of its own a member would have a third of it.
  const ofTenThousand = (10_000 * (figures.cpuPercent - figures.cpuPercentOfOneShard)) / replicas;
  return [
    `${thousands(shards)} shards on three members in one process, LMDB and files and sockets as in any member: the process has ${thousands(replicas)} replicas, a third of which lead.`,
    `Heap and external memory after a collection, but for what one shard took; processor over 3 × ${idleSeconds} s, median.`,
    '',
    table(
      ['', 'figure', 'aim'],
      [
        ['bytes of a replica', thousands(ofReplica), aimed('< 10,000', ofReplica < AIM_BYTES)],
        ['bytes of all, MB', (figures.bytes / 1e6).toFixed(1), ''],
        [
          'processor of all three members, % of a core',
          figures.cpuPercent.toFixed(2),
          aimed('< 5', figures.cpuPercent < AIM_PERCENT),
        ],
        ['the same with one shard', figures.cpuPercentOfOneShard.toFixed(2), ''],
        ['so 10,000 replicas alone', ofTenThousand.toFixed(2), ''],
        ['messages a second between them', thousands(figures.messagesPerSecond), ''],
        ['ticks of groups a second', thousands(figures.ticksPerSecond), ''],
        ['seconds to split that often', figures.secondsToSplit.toFixed(0), ''],
      ],
    ),
  ].join('\n');
}

/** In a process of its own, from one bundle as members are: what runs sources directly names every closure, in memory. */
async function figuresOf(plan: IdlePlan): Promise<IdleFigures> {
  // Two levels below the package, as the sources are: their paths relative to themselves stay right.
  const cache = fileURLToPath(new URL(`../../.cache/bench-${process.pid}`, import.meta.url));
  mkdirSync(cache, { recursive: true });
  try {
    const bundle = join(cache, 'idle.js');
    await build(fileURLToPath(new URL('./idle-process.ts', import.meta.url)), bundle);
    const args = ['--expose-gc', '--max-old-space-size=4000', bundle, JSON.stringify(plan)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));
    if (code !== 0) throw new Error(`the process that idles ended with ${String(code)}`);
    return JSON.parse(text) as IdleFigures;
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

async function build(entry: string, outfile: string): Promise<void> {
  const require = createRequire(import.meta.url);
  const esbuild = createRequire(require.resolve('tsx'))('esbuild') as {
    build(options: object): Promise<unknown>;
    stop(): Promise<void>;
  };
  await esbuild.build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'silent',
    external: ['lmdb', 'pino', '@node-rs/bcrypt', 'jose'],
    banner: {
      js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
    },
  });
  await esbuild.stop();
}
