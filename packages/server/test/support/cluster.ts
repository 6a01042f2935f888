import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlotillaProcess } from './command.ts';
import { freePorts } from './ports.ts';

/** A `flotilla dev` cluster on free ports and a directory of its own, both gone after {@link DevCluster.remove}. */
export class DevCluster {
  readonly directory: string;
  readonly basePort: number;
  readonly nodes: number;
  readonly endpoints: readonly string[];
  process: FlotillaProcess;
  members: readonly { readonly name: string; readonly pid: number }[] = [];

  private constructor(directory: string, basePort: number, nodes: number) {
    this.directory = directory;
    this.basePort = basePort;
    this.nodes = nodes;
    this.endpoints = Array.from({ length: nodes }, (_, i) => `http://127.0.0.1:${basePort + 2 * i}`);
    this.process = this.#spawn();
  }

  static async start(nodes = 3): Promise<DevCluster> {
    const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
    const cluster = new DevCluster(directory, await freePorts(2 * nodes), nodes);
    await cluster.#ready();
    return cluster;
  }

  /** Ends all processes and starts them again on the same data. */
  async restart(): Promise<void> {
    await this.process.stop();
    this.process = this.#spawn();
    await this.#ready();
  }

  async remove(): Promise<void> {
    await this.process.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  #spawn(): FlotillaProcess {
    const { nodes, basePort } = this;
    return new FlotillaProcess([
      'dev',
      `--nodes=${nodes}`,
      `--base-port=${basePort}`,
      `--data-dir=${join(this.directory, 'data')}`,
    ]);
  }

  async #ready(): Promise<void> {
    const line = await this.process.line('stdout', /^ready /);
    const { members } = JSON.parse(line.slice('ready '.length)) as Pick<DevCluster, 'members'>;
    this.members = members;
  }
}
