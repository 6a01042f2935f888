import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Maintenance, StatusRequest, callUnary } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';

/** Three members that serve. */
export interface Cluster {
  readonly name: string;
  /** With its version, for the text above the table. */
  readonly version: string;
  readonly endpoints: readonly string[];
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

export const launcher = fileURLToPath(new URL('../bin/flotilla.js', import.meta.url));

const FLOTILLA_BASE_PORT = 24_379;
const ETCD_BASE_PORT = 25_379;
const MEMBERS = 3;

export async function startFlotilla(dataDirectory: string): Promise<Cluster> {
  const args = ['dev', '--nodes', String(MEMBERS), '--base-port', String(FLOTILLA_BASE_PORT)];
  const child = spawn(process.execPath, [launcher, ...args, '--data-dir', dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)) as Ready);
    });
    child.once('exit', (code) => reject(new Error(`flotilla dev ended with ${code}`)));
  });
  const version = spawnSync(process.execPath, [launcher, '--version'], { encoding: 'utf8' }).stdout;
  return {
    name: 'Flotilla',
    version: `Flotilla ${/[0-9]+\.[0-9]+\.[0-9]+/.exec(version)?.[0] ?? ''}`.trim(),
    endpoints: ready.endpoints,
    pids: ready.members.map(({ pid }) => pid),
    stop: () => stopAll([child]),
  };
}

interface Ready {
  readonly endpoints: readonly string[];
  readonly members: readonly { readonly pid: number }[];
}

/** null: etcd is not installed. */
export async function startEtcd(dataDirectory: string): Promise<Cluster | null> {
  const version = spawnSync('etcd', ['--version'], { encoding: 'utf8' });
  if (version.error !== undefined) return null;
  const members = Array.from({ length: MEMBERS }, (_, index) => ({
    name: `e${index + 1}`,
    client: `http://127.0.0.1:${ETCD_BASE_PORT + 2 * index}`,
    peer: `http://127.0.0.1:${ETCD_BASE_PORT + 2 * index + 1}`,
  }));
  mkdirSync(dataDirectory, { recursive: true });
  const children = members.map(({ name, client, peer }) => {
    const settings = {
      name,
      'data-dir': join(dataDirectory, name),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': members.map((member) => `${member.name}=${member.peer}`).join(','),
      'log-level': 'error',
    };
    const args = Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]);
    return spawn('etcd', args, { stdio: ['ignore', 'ignore', 'ignore'] });
  });
  const endpoints = members.map(({ client }) => client);
  try {
    await Promise.all(endpoints.map(untilServing));
  } catch (error) {
    await stopAll(children);
    throw error;
  }
  return {
    name: 'etcd',
    version: `etcd ${/etcd Version: (\S+)/.exec(version.stdout)?.[1] ?? ''}`,
    endpoints,
    pids: children.map(({ pid }) => pid ?? 0),
    stop: () => stopAll(children),
  };
}

const START_MS = 20_000;
const RETRY_MS = 200;

async function untilServing(endpoint: string): Promise<void> {
  const channel = openHttp2Channel({ endpoints: [endpoint] });
  try {
    for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
      const status = await callUnary(channel, Maintenance.methods.Status, StatusRequest.create(), {
        timeoutMs: START_MS,
      }).catch((error: unknown) => {
        if (waitedMs > START_MS) throw error;
        return null;
      });
      if (status !== null && status.leader !== 0n) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  } finally {
    channel.close();
  }
}

async function stopAll(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
    }),
  );
}
