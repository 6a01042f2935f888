import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  callUnary,
  KV,
  type MethodDescriptor,
  type NodeListResponse,
  Nodes,
  openStream,
  RangeRequest,
  type RpcChannel,
  type Shard,
  type ShardProgress,
  Shards,
} from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { launcher } from '../clusters.ts';

export interface ShardClusterPlan {
  readonly name: string;
  readonly nodes: number;
  /** 1: it is never made sharded. */
  readonly shards: number;
  readonly directory: string;
  readonly basePort: number;
  /** Settings of the members, as they are in the environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** Members on this machine, each a process, and the shards of the keys that {@link keyIn} makes. */
export class ShardCluster {
  readonly name: string;
  readonly shards: number;
  readonly endpoints: readonly string[];
  /** By place: that of the endpoint. */
  readonly pids: readonly number[];
  readonly #child: ChildProcess;
  readonly #channel: RpcChannel;
  readonly #killed: Set<number>;

  static async start(plan: ShardClusterPlan): Promise<ShardCluster> {
    const { nodes, basePort, directory, name, environment = {} } = plan;
    const args = ['dev', '--nodes', String(nodes), '--base-port', String(basePort)];
    const child = spawn(process.execPath, [launcher, ...args, '--data-dir', join(directory, name)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    });
    const said: string[] = [];
    const killed = new Set<number>();
    createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const isMeant = [...killed].some((pid) => line.includes(`(pid ${pid})`));
      // A member that dies in the middle makes figures of something else, unless that is what is measured.
      if (line.includes('error FLOTILLA_') && !isMeant) process.stderr.write(`${line}\n`);
    });
    const ready = await new Promise<Ready>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line.startsWith('ready ')) resolve(JSON.parse(line.slice('ready '.length)) as Ready);
      });
      child.once('exit', (code) =>
        reject(new Error(`${name} ended with ${code}: ${said.slice(-3).join('; ')}`)),
      );
    });
    const cluster = new ShardCluster(plan, ready, child, killed);
    try {
      await cluster.#begin();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  private constructor(
    { name, shards }: ShardClusterPlan,
    ready: Ready,
    child: ChildProcess,
    killed: Set<number>,
  ) {
    this.#killed = killed;
    this.name = name;
    this.shards = shards;
    this.endpoints = ready.endpoints;
    this.pids = ready.members.map(({ pid }) => pid);
    this.#child = child;
    this.#channel = openHttp2Channel({ endpoints: ready.endpoints });
  }

  get channel(): RpcChannel {
    return this.#channel;
  }

  async #begin(): Promise<void> {
    await callUnary(this.#channel, KV.methods.Range, RangeRequest.create({ key: keyIn(0, 0) }), callOptions);
    if (this.shards === 1) return;
    const keys = Array.from({ length: this.shards - 1 }, (_, index) => Buffer.from(prefixOf(index + 1)));
    await this.follow(Shards.methods.Begin, { shards: 0, keys, replicas: 0 });
    await this.allLed();
  }

  async list(): Promise<readonly Shard[]> {
    return (await callUnary(this.#channel, Shards.methods.List, {}, callOptions)).shards;
  }

  async nodes(): Promise<NodeListResponse['nodes']> {
    return (await callUnary(this.#channel, Nodes.methods.List, {}, callOptions)).nodes;
  }

  /** The one that has the keys of a place. */
  async shardOf(place: number): Promise<Shard> {
    const key = keyIn(place, 0);
    const shard = (await this.list()).find(
      ({ start, end }) =>
        Buffer.compare(start, key) <= 0 && (end.length === 0 || Buffer.compare(key, end) < 0),
    );
    if (shard === undefined) throw new Error(`no shard has the keys of ${prefixOf(place)}`);
    return shard;
  }

  async allLed(): Promise<void> {
    while (!(await this.list()).every(({ leader }) => leader !== 0)) await pause(LOOK_MS);
  }

  /** Until the operation is over. */
  async follow<Request>(
    method: MethodDescriptor<Request, ShardProgress, 'server-stream'>,
    request: Request,
  ): Promise<ShardProgress> {
    const stream = openStream(this.#channel, method);
    stream.write(request);
    stream.end();
    for (let progress = await stream.read(); progress !== null; progress = await stream.read()) {
      if (progress.finished) return progress;
    }
    throw new Error('the answer ended before the operation');
  }

  /** As if the machine of the member at this place had gone. */
  kill(place: number): void {
    const pid = this.pids[place] as number;
    this.#killed.add(pid);
    process.kill(pid, 'SIGKILL');
  }

  async stop(): Promise<void> {
    this.#channel.close();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGTERM');
    await ended;
  }
}

interface Ready {
  readonly endpoints: readonly string[];
  readonly members: readonly { readonly pid: number }[];
}

const callOptions = { timeoutMs: 60_000 };
const LOOK_MS = 50;

/** Keys of one place are in one shard of a cluster that has been begun here, and all keys are as long. */
export function keyIn(place: number, index: number): Buffer {
  return Buffer.from(`${prefixOf(place)}${String(index).padStart(8, '0')}`, 'latin1');
}

export function prefixOf(place: number): string {
  return `s${String(place).padStart(2, '0')}/`;
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}
