import { configurationOf } from '../src/core/configuration.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Logger } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { createHost } from '../src/host/host.ts';
import type { Host } from '../src/host/types.ts';
import type { HostConfig } from '../src/host/config.ts';
import type { Group, HostOptions } from '../src/host/types.ts';
import type { Configuration, NodeId } from '../src/core/types.ts';
import { ListImage, ListMachine } from '../simulation/host-machine.ts';
import type { ListResult } from '../simulation/host-machine.ts';
import { machineTime } from './process/machine-time.ts';

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One member on loopback sockets and a temporary directory; lives, dies and lives again. */
export class TestMember {
  readonly id: NodeId;
  readonly directory: string;
  readonly lines: LogLine[] = [];
  readonly fatal: Error[] = [];
  /** Does something to the state machine of the next life. */
  sabotage: (machine: ListMachine) => void = () => undefined;
  image = new ListImage();
  machine: ListMachine;
  host: Host | null = null;
  group: Group<ListResult> | null = null;
  readonly #cluster: TestCluster;

  constructor(cluster: TestCluster, id: number, directory: string) {
    this.#cluster = cluster;
    this.id = id as NodeId;
    this.directory = directory;
    this.machine = new ListMachine(this.image);
  }

  async start(flushEvery = 1, instance = this.#cluster.instanceOf(this.id)): Promise<void> {
    this.machine = new ListMachine(this.image, { flushEvery, chunkValues: 64 });
    this.sabotage(this.machine);
    const platform = nodePlatform({
      nodeName: `n${this.id}`,
      logger: this.logger(),
      onFatal: (error) => this.fatal.push(error),
    });
    const listen = this.#cluster.addresses.get(this.id);
    if (listen === undefined) throw new Error('no address');
    this.host = await createHost({
      platform,
      nodeId: this.id,
      clusterId: this.#cluster.clusterId,
      instance: instance ?? 0n,
      instanceOf: (peer) => this.#cluster.instanceOf(peer),
      directory: this.directory,
      peers: this.#cluster.addresses,
      listen,
      config: this.#cluster.config,
      ...this.#cluster.optionsOf(this.id),
    });
    this.host.onFatal((error) => this.fatal.push(error));
    this.group = await this.host.openGroup({
      id: 0,
      stateMachine: this.machine,
      initialConfiguration: this.#cluster.initialConfigurationOf(this.id),
    });
  }

  async stop(): Promise<void> {
    const { host } = this;
    this.host = null;
    this.group = null;
    await host?.close();
  }

  get running(): Group<ListResult> {
    if (this.group === null) throw new Error(`member ${this.id} does not run`);
    return this.group;
  }

  logger(): Logger {
    const at =
      (level: string) =>
      (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
        this.lines.push({ level, message, fields });
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }
}

export class TestCluster {
  readonly clusterId = 0xf107n;
  /** By which instances members are known to each other. */
  instanceOf: (id: NodeId) => bigint | null = () => null;
  /** Everybody is a voter from the beginning. */
  initialConfigurationOf: (id: NodeId) => Configuration = () => configurationOf([...this.addresses.keys()]);
  /** What single members do differently from the others. */
  optionsOf: (id: NodeId) => Partial<HostOptions> = () => ({});
  readonly addresses: ReadonlyMap<NodeId, Address>;
  readonly members: readonly TestMember[];
  readonly config: HostConfig;
  readonly #root: string;

  private constructor(addresses: ReadonlyMap<NodeId, Address>, config: HostConfig) {
    this.addresses = addresses;
    this.config = config;
    this.#root = mkdtempSync(join(tmpdir(), 'flotilla-host-'));
    this.members = [...addresses.keys()].map((id) => new TestMember(this, id, join(this.#root, `n${id}`)));
  }

  static async create(size: number, config: HostConfig = {}): Promise<TestCluster> {
    const addresses = new Map<NodeId, Address>();
    for (let id = 1; id <= size; id += 1) {
      addresses.set(id as NodeId, { host: '127.0.0.1', port: await freePort() });
    }
    return new TestCluster(addresses, { heartbeatMs: 40, electionMs: 400, ...config });
  }

  async start(): Promise<this> {
    await Promise.all(this.members.map((member) => member.start()));
    return this;
  }

  member(id: number): TestMember {
    const found = this.members[id - 1];
    if (found === undefined) throw new Error(`no member ${id}`);
    return found;
  }

  get live(): readonly TestMember[] {
    return this.members.filter((member) => member.group !== null);
  }

  async leader(): Promise<TestMember> {
    let found: TestMember | undefined;
    await until('a leader', () => {
      found = this.live.find((member) => {
        const status = member.running.status();
        if (status.role !== 'leader') return false;
        return this.live.every((other) => other.running.status().leader === member.id);
      });
      return found !== undefined;
    });
    return found as TestMember;
  }

  async follower(): Promise<TestMember> {
    const leader = await this.leader();
    return this.live.find((member) => member !== leader) as TestMember;
  }

  async converged(): Promise<void> {
    await until('equal states', () => {
      const [first, ...others] = this.live;
      return others.every(
        (other) =>
          other.machine.applied.index === first?.machine.applied.index &&
          other.machine.hash === first.machine.hash,
      );
    });
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.stop()));
    rmSync(this.#root, { recursive: true, force: true });
  }
}

/** Waits for a state of the world; fails with what it waited for. */
export async function until(what: string, condition: () => boolean, timeoutMs = 20_000): Promise<void> {
  const end = machineTime() + timeoutMs;
  while (!condition()) {
    if (machineTime() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * Below the ports that the system gives to outgoing connections (from 32768 on Linux): one of those once took the port
 * of a member that was down. In turn, so that one process takes none twice.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    nextPort = nextPort >= 30_000 ? 10_000 : nextPort + 1;
    if (await isFree(nextPort)) return nextPort;
  }
  throw new Error('no free port found');
}

let nextPort = 10_000 + Math.floor(Math.random() * 20_000);

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
