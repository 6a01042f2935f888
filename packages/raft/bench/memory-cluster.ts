import { configurationOf, createHost } from '@flotilla/raft';
import type { Group, GroupId, Host, HostConfig, NodeId } from '@flotilla/raft';
import { CountingMachine } from './counting-machine.ts';
import { MemoryWorld } from './memory-platform.ts';

const ids = [1, 2, 3] as NodeId[];

/** Three members in this process: real hosts, frames, checksums and logs, on disks and sockets that are memory. */
export class MemoryCluster {
  readonly world: MemoryWorld;
  readonly hosts: readonly Host[];

  private constructor(world: MemoryWorld, hosts: readonly Host[]) {
    this.world = world;
    this.hosts = hosts;
  }

  static async start(config: HostConfig): Promise<MemoryCluster> {
    const world = new MemoryWorld();
    const peers = new Map(ids.map((id) => [id, { host: 'memory', port: id }]));
    const hosts: Host[] = [];
    for (const nodeId of ids) {
      const listen = { host: 'memory', port: nodeId };
      const platform = world.platform(`n${nodeId}`);
      hosts.push(
        await createHost({ platform, nodeId, clusterId: 1n, directory: 'data', peers, listen, config }),
      );
    }
    return new MemoryCluster(world, hosts);
  }

  /** The three replicas of one group. */
  async open(id: GroupId): Promise<readonly Group<number>[]> {
    const groups: Group<number>[] = [];
    for (const host of this.hosts) {
      const stateMachine = new CountingMachine();
      groups.push(await host.openGroup({ id, stateMachine, initialConfiguration: configurationOf(ids) }));
    }
    return groups;
  }

  /** What all members together have counted. */
  total(metric: keyof Host['metrics']): number {
    return this.hosts.reduce((sum, host) => sum + host.metrics[metric], 0);
  }

  async close(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.close()));
  }
}

/** The replica that leads, once every replica knows it. */
export async function leaderOf(groups: readonly Group<number>[]): Promise<Group<number>> {
  for (;;) {
    const leader = groups.find((group) => group.status().role === 'leader');
    if (leader !== undefined) {
      const { id } = leader.status();
      if (groups.every((group) => group.status().leader === id)) return leader;
    }
    await pause(10);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
