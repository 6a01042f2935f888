import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Maintenance, StatusRequest, callUnary, type RpcChannel } from '@flotilla/wire';
import { openHttp2Channel } from '@flotilla/wire/node';
import { FlotillaProcess, launcher } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';
import { ChurningShards } from '../support/sharded/churning-shards.ts';
import { type Topology, topology as topologyOfTests } from '../support/sharded/topology.ts';
import { machineTime } from '../../../raft/test/process/machine-time.ts';
import { PeerLinks } from './peer-links.ts';

/** One member: a place for a process, which may be killed and started again on the same data. */
export interface MemberProcess {
  readonly index: number;
  readonly endpoint: string;
  readonly args: readonly string[];
  /** For the test's own questions, not for traffic. */
  readonly channel: RpcChannel;
  /** The build that it runs, or runs at its next start. */
  launcher: string;
  process: FlotillaProcess;
}

export interface ProcessClusterOptions {
  readonly members?: number;
  /** The launcher of another checkout, for members that are to be upgraded. */
  readonly build?: string;
  readonly flags?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Whether members reach each other through {@link ProcessCluster.links} that a test can cut. */
  readonly throughLinks?: boolean;
  /** Makes it at least as large as it says, and sharded. */
  readonly topology?: Topology | null;
}

/** Members as real processes of `flotilla serve`, each of which can be killed, paused and started on its own. */
export class ProcessCluster {
  readonly members: readonly MemberProcess[];
  /** Null: members reach each other directly. */
  readonly links: PeerLinks | null;
  readonly #directory: string;
  readonly #env: NodeJS.ProcessEnv;
  #shards: ChurningShards | null = null;

  private constructor(
    options: ProcessClusterOptions,
    directory: string,
    basePort: number,
    links: PeerLinks | null,
  ) {
    const { members = 3, build = launcher, flags = [], env = {} } = options;
    this.#directory = directory;
    this.#env = env;
    this.links = links;
    const peer = (index: number): string => `http://127.0.0.1:${memberPort(basePort, index)}`;
    const known = (index: number): string =>
      links === null ? peer(index) : `http://127.0.0.1:${links.portOf(index)}`;
    const indexes = Array.from({ length: members }, (_, index) => index);
    // Nodes are numbered by name: in the order of the numbers, however many there are.
    const width = String(members).length;
    const name = (index: number): string => `n${String(index + 1).padStart(width, '0')}`;
    const initialCluster = indexes.map((index) => `${name(index)}=${known(index)}`).join(',');
    this.members = indexes.map((index) => {
      const endpoint = `http://127.0.0.1:${basePort + 3 * index}`;
      const args = [
        'serve',
        `--name=${name(index)}`,
        `--data-dir=${join(directory, name(index))}`,
        `--listen-client-urls=${endpoint}`,
        `--advertise-client-urls=${endpoint}`,
        `--listen-peer-urls=${peer(index)}`,
        `--initial-advertise-peer-urls=${known(index)}`,
        `--initial-cluster=${initialCluster}`,
        '--log-level=warn',
        ...flags,
      ];
      const channel = openHttp2Channel({ endpoints: [endpoint] });
      return {
        index,
        endpoint,
        args,
        channel,
        launcher: build,
        process: new FlotillaProcess(args, { launcher: build, env }),
      };
    });
  }

  static async start(options: ProcessClusterOptions = {}): Promise<ProcessCluster> {
    const { throughLinks = false, topology = topologyOfTests } = options;
    const members = Math.max(options.members ?? 3, topology?.nodes ?? 0);
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-process-'));
    const basePort = await freePorts(3 * members);
    const ports = Array.from({ length: members }, (_, index) => memberPort(basePort, index));
    const links = throughLinks ? await PeerLinks.open(ports) : null;
    const cluster = new ProcessCluster({ ...options, members }, directory, basePort, links);
    await Promise.all(cluster.members.map((member) => serves(member.process)));
    if (topology !== null) await cluster.#shard(topology);
    return cluster;
  }

  /** The member that leads according to itself, and that a majority follows. Rejects after `timeoutMs`. */
  async leader(timeoutMs: number): Promise<MemberProcess> {
    const end = machineTime() + timeoutMs;
    while (machineTime() < end) {
      const views = await Promise.all(this.members.map((member) => leadershipOf(member)));
      const found = views.find((view) => {
        if (view === null || view.leader !== view.self) return false;
        const followers = views.filter((other) => other?.leader === view.self && other.term === view.term);
        return followers.length > this.members.length / 2;
      });
      if (found !== null && found !== undefined) return found.member;
      await pause(50);
    }
    throw new Error(`no leader within ${timeoutMs} ms`);
  }

  /** SIGKILL: nothing is flushed, nobody is told. */
  async kill(member: MemberProcess): Promise<void> {
    await member.process.stop('SIGKILL');
  }

  /** Starts a killed member again; resolves when it serves. */
  async restart(member: MemberProcess): Promise<void> {
    member.process = new FlotillaProcess(member.args, { launcher: member.launcher, env: this.#env });
    await serves(member.process);
  }

  freeze(member: MemberProcess): void {
    process.kill(member.process.pid, 'SIGSTOP');
  }

  thaw(member: MemberProcess): void {
    process.kill(member.process.pid, 'SIGCONT');
  }

  /** What members said on stderr, for reports of failures. */
  logs(): string {
    return this.members
      .map(({ index, process: member }) => `n${index + 1}:\n${member.stderr.slice(-30).join('\n')}`)
      .join('\n');
  }

  async #shard(topology: Topology): Promise<void> {
    this.#shards = await ChurningShards.start({
      endpoints: this.members.map(({ endpoint }) => endpoint),
      topology,
      isUp: (node) => this.members[node]?.process.ended === false,
    });
  }

  async remove(): Promise<void> {
    try {
      await this.#shards?.stop();
    } finally {
      await this.#removeMembers();
    }
  }

  async #removeMembers(): Promise<void> {
    for (const { channel } of this.members) channel.close();
    await Promise.all(this.members.map((member) => member.process.stop('SIGKILL')));
    await this.links?.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Each has three ports: for clients, for members, and the one by which the others know it where there are links. */
function memberPort(basePort: number, index: number): number {
  return basePort + 3 * index + 1;
}

export function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}

async function serves(process: FlotillaProcess): Promise<void> {
  await process.line('stdout', /^ready to serve client requests$/);
}

interface LeadershipView {
  readonly member: MemberProcess;
  readonly self: bigint;
  readonly leader: bigint;
  readonly term: bigint | number;
}

async function leadershipOf(member: MemberProcess): Promise<LeadershipView | null> {
  if (member.process.ended) return null;
  try {
    const request = StatusRequest.create();
    const status = await callUnary(member.channel, Maintenance.methods.Status, request, { timeoutMs: 1_000 });
    const self = status.header?.memberId ?? 0n;
    return { member, self, leader: status.leader, term: status.raftTerm };
  } catch {
    return null;
  }
}
