import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { environmentName } from '../../src/configuration/settings.ts';
import { FlotillaProcess } from './command.ts';
import { freePorts } from './ports.ts';
import { ChurningShards } from './sharded/churning-shards.ts';
import { patientElections, type Topology, topology as topologyOfTests } from './sharded/topology.ts';

/** A `flotilla dev` cluster on free ports and a directory of its own, both gone after {@link DevCluster.remove}. */
export class DevCluster {
  readonly directory: string;
  readonly basePort: number;
  readonly nodes: number;
  readonly endpoints: readonly string[];
  process: FlotillaProcess;
  members: readonly { readonly name: string; readonly pid: number }[] = [];
  #shards: ChurningShards | null = null;

  readonly #env: NodeJS.ProcessEnv;

  private constructor(directory: string, basePort: number, nodes: number, env: NodeJS.ProcessEnv) {
    this.#env = env;
    this.directory = directory;
    this.basePort = basePort;
    this.nodes = nodes;
    this.endpoints = Array.from({ length: nodes }, (_, i) => `http://127.0.0.1:${basePort + 2 * i}`);
    this.process = this.#spawn();
  }

  /** A topology makes it at least as large as it says. */
  static async start(nodes = 3, topology: Topology | null = topologyOfTests): Promise<DevCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    const members = Math.max(nodes, topology?.nodes ?? 0);
    const env = topology?.isPatient === true ? patientVariables : {};
    const cluster = new DevCluster(directory, await freePorts(2 * members), members, env);
    await cluster.#ready();
    if (topology !== null) {
      cluster.#shards = await ChurningShards.start({ endpoints: cluster.endpoints, topology });
    }
    return cluster;
  }

  /** Ends all processes and starts them again on the same data. */
  async restart(): Promise<void> {
    await this.process.stop();
    this.process = this.#spawn();
    await this.#ready();
  }

  async remove(): Promise<void> {
    try {
      await this.#shards?.stop();
    } finally {
      await this.process.stop();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  #spawn(): FlotillaProcess {
    const { nodes, basePort } = this;
    const args = ['dev', `--nodes=${nodes}`, `--base-port=${basePort}`];
    return new FlotillaProcess([...args, `--data-dir=${join(this.directory, 'data')}`], { env: this.#env });
  }

  async #ready(): Promise<void> {
    const line = await this.process.line('stdout', /^ready /);
    const { members } = JSON.parse(line.slice('ready '.length)) as Pick<DevCluster, 'members'>;
    this.members = members;
  }
}

const patientVariables = Object.fromEntries(
  Object.entries(patientElections).map(([name, value]) => [environmentName(name), value]),
);
