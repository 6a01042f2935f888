import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KV, Maintenance, RangeRequest, StatusRequest, callUnary } from '@flotilla/wire';
import type { RpcChannel, StatusResponse } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { CpuClock } from '../src/cli/bench/cpu.ts';
import { launcher } from './clusters.ts';

/** A server that takes etcd's flags. */
export interface Program {
  readonly name: string;
  /** null: not installed. */
  version(): string | null;
  readonly command: readonly string[];
  readonly basePort: number;
}

export const flotilla: Program = {
  name: 'Flotilla',
  version: () => 'Flotilla',
  command: [process.execPath, ...nodeOptions(), launcher, 'serve'],
  basePort: 26_379,
};

export const etcd: Program = {
  name: 'etcd',
  version: () => {
    const { error, stdout } = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
    return error === undefined ? `etcd ${/etcd Version: (\S+)/.exec(stdout)?.[1] ?? ''}` : null;
  },
  command: ['etcd'],
  basePort: 27_379,
};

/** For members only: `FLOTILLA_BENCH_NODE_OPTIONS=--cpu-prof npm run bench:scale`. */
function nodeOptions(): readonly string[] {
  return (process.env['FLOTILLA_BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '');
}

/** Milliseconds from the start of the last process; all members have come so far. */
export interface StartTimes {
  /** They answer at all: the process runs and has opened its data. */
  readonly answeringMs: number;
  /** They know a leader. */
  readonly electedMs: number;
  /** They have answered a linearizable read. */
  readonly readyMs: number;
  /** Of a member on average: a busy machine disturbs it less. */
  readonly cpuMs: number;
}

type Moments = Omit<StartTimes, 'cpuMs'>;

/** The members of a cluster, which can be stopped and started again. */
export class Members {
  readonly title: string;
  readonly #program: Program;
  readonly #plans: readonly { readonly client: string; readonly args: readonly string[] }[];
  #children: ChildProcess[] = [];

  constructor(program: Program, members: number, directory: string) {
    this.#program = program;
    this.title = `${program.version() ?? program.name}, ${members === 1 ? 'one member' : `${members} members`}`;
    mkdirSync(directory, { recursive: true });
    const urls = Array.from({ length: members }, (_, index) => ({
      name: `m${index + 1}`,
      client: `http://127.0.0.1:${program.basePort + 2 * index}`,
      peer: `http://127.0.0.1:${program.basePort + 2 * index + 1}`,
    }));
    this.#plans = urls.map(({ name, client, peer }) => ({
      client,
      args: Object.entries({
        name,
        'data-dir': join(directory, name),
        'listen-client-urls': client,
        'advertise-client-urls': client,
        'listen-peer-urls': peer,
        'initial-advertise-peer-urls': peer,
        'initial-cluster': urls.map((member) => `${member.name}=${member.peer}`).join(','),
        logger: 'zap',
        'log-level': 'error',
      }).map(([flag, value]) => `--${flag}=${value}`),
    }));
  }

  get endpoints(): readonly string[] {
    return this.#plans.map(({ client }) => client);
  }

  get pids(): readonly number[] {
    return this.#children.map(({ pid }) => pid ?? 0);
  }

  async start(): Promise<StartTimes> {
    const [executable, ...first] = this.#program.command as [string, ...string[]];
    this.#children = this.#plans.map(({ args }) =>
      spawn(executable, [...first, ...args], { stdio: ['ignore', 'ignore', 'inherit'] }),
    );
    const startedAt = performance.now();
    const cpu = new CpuClock(this.pids);
    const starting = Promise.all(this.endpoints.map((endpoint) => watchStart(endpoint)));
    const progress = await Promise.race([starting, ...this.#children.map(failedStart)]);
    const latest = (name: keyof Moments): number =>
      Math.max(...progress.map((times) => times[name])) - startedAt;
    return {
      answeringMs: latest('answeringMs'),
      electedMs: latest('electedMs'),
      readyMs: latest('readyMs'),
      cpuMs: (cpu.elapsed().server ?? 0) / 1_000 / this.pids.length,
    };
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
      }),
    );
    this.#children = [];
  }
}

/** Rejects when the process ends before the race that it is in is over: another server may listen where it should. */
async function failedStart(child: ChildProcess): Promise<never> {
  return await new Promise((_resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
  });
}

const START_MS = 300_000;
const LOOK_MS = 20;
const STATUS_MS = 1_000;

/** The moments at which one endpoint got there. */
async function watchStart(endpoint: string): Promise<Moments> {
  const givenUpAt = performance.now() + START_MS;
  let answeringMs = 0;
  for (;;) {
    const status = await once(endpoint, (channel) =>
      callUnary(channel, Maintenance.methods.Status, StatusRequest.create(), { timeoutMs: STATUS_MS }),
    ).catch((error: unknown): StatusResponse | null => {
      if (performance.now() > givenUpAt) throw error;
      return null;
    });
    if (status !== null && answeringMs === 0) answeringMs = performance.now();
    if (status !== null && status.leader !== 0n) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const electedMs = performance.now();
  const key = Buffer.from('bench/');
  await once(endpoint, (channel) =>
    callUnary(channel, KV.methods.Range, RangeRequest.create({ key }), { timeoutMs: START_MS }),
  );
  return { answeringMs, electedMs, readyMs: performance.now() };
}

/** On a connection of its own: one that was refused waits before it tries again. */
async function once<Answer>(
  endpoint: string,
  call: (channel: RpcChannel) => Promise<Answer>,
): Promise<Answer> {
  const channel = openHttp2Channel({ endpoints: [endpoint] });
  try {
    return await call(channel);
  } finally {
    channel.close();
  }
}
