import type { Platform } from '@flotilla/platform';
import { fromEventLoop, generatedTape, World } from '@flotilla/sim';
import type { SimNode } from '@flotilla/sim';
import { damagingTransport } from '../simulation/damaging-transport.ts';
import { appendCommand, ListImage, ListMachine } from '../simulation/host-machine.ts';
import type { ListResult } from '../simulation/host-machine.ts';
import { configurationOf } from '../src/core/configuration.ts';
import type { NodeId } from '../src/core/types.ts';
import type { HostConfig } from '../src/host/config.ts';
import { createHost } from '../src/host/host.ts';
import type { Group, Host } from '../src/host/types.ts';

export interface SimulatedHostsOptions {
  readonly config?: HostConfig;
  /** Of a member's next life, beside {@link config}. */
  readonly configOf?: (member: SimulatedHost) => HostConfig;
  /** Of the chunks that this member sends, how many arrive damaged. */
  readonly damagePerMille?: (from: SimulatedHost) => number;
  readonly machine?: (member: SimulatedHost, platform: Platform) => ListMachine;
}

export interface SimulatedHost {
  readonly id: NodeId;
  readonly node: SimNode;
  readonly image: ListImage;
  host: Host;
  group: Group<ListResult>;
  machine: ListMachine;
}

const port = 2380;
/** Small, so that no time goes into space that is not used. */
const segmentBytes = 64 * 1024;

/** Three whole hosts over simulated sockets, disks and clocks, which do exactly what a test says. */
export class SimulatedHosts {
  readonly world = new World({ tape: generatedTape(1) });
  readonly members: readonly SimulatedHost[];
  readonly #options: SimulatedHostsOptions;
  #appended = 0;

  /** Runs `test` where a simulation can run, and fails when anything stopped a member. */
  static run(options: SimulatedHostsOptions, test: (hosts: SimulatedHosts) => void): Promise<void> {
    return fromEventLoop(() => {
      const hosts = new SimulatedHosts(options);
      try {
        for (const { node } of hosts.members) node.start();
        hosts.until('a leader', () => hosts.findLeader() !== null);
        test(hosts);
      } finally {
        hosts.world.end();
      }
    });
  }

  private constructor(options: SimulatedHostsOptions) {
    this.#options = options;
    this.members = [1, 2, 3].map((id) => this.#create(id as NodeId));
  }

  get leader(): SimulatedHost {
    const leader = this.findLeader();
    if (leader === null) throw new Error('nobody leads');
    return leader;
  }

  get followers(): readonly [SimulatedHost, SimulatedHost] {
    const [first, second] = this.members.filter((member) => member !== this.leader);
    if (first === undefined || second === undefined) throw new Error('three members have two followers');
    return [first, second];
  }

  findLeader(): SimulatedHost | null {
    const leads = ({ node, group }: SimulatedHost): boolean =>
      node.running && (group as Group<ListResult> | null)?.status().role === 'leader';
    return this.members.find(leads) ?? null;
  }

  /** Fails when it has not come true within a simulated minute. */
  until(what: string, condition: () => boolean): void {
    this.world.run(60_000, condition);
    if (this.world.violation !== null) throw new Error(this.world.violation.message);
    if (!condition()) throw new Error(`waited in vain for ${what}`);
  }

  sleep(durationMs: number): void {
    this.world.run(durationMs);
    if (this.world.violation !== null) throw new Error(this.world.violation.message);
  }

  /** Has this many values appended there, and answered. */
  append(member: SimulatedHost, count: number): void {
    let answered = 0;
    this.appendSoon(member, count, () => (answered += 1));
    this.until(`${count} answers`, () => answered === count);
  }

  appendSoon(member: SimulatedHost, count: number, answered: () => void): void {
    const propose = (): void => {
      for (let left = count; left > 0; left -= 1) {
        this.#appended += 1;
        member.group
          .propose(appendCommand(this.#appended), { timeoutMs: 30_000 })
          .then(answered, () => undefined);
      }
    };
    this.world.after(0, propose, member.node.life);
  }

  /** Nothing goes there or comes from there. */
  cutOff(member: SimulatedHost): void {
    for (const other of this.members) {
      this.world.network.links.cut(member.node, other.node);
      this.world.network.links.cut(other.node, member.node);
    }
  }

  heal(): void {
    this.world.network.links.heal();
  }

  /** Down for long enough that the logs of the others go on without it, and back. */
  leaveBehind(member: SimulatedHost, values: number): void {
    member.node.crash();
    this.append(this.leader, values);
    this.sleep(500);
    member.node.start();
  }

  /** Waits until everybody has every value, and until the answers about that have come. */
  converge(): void {
    this.until('equal states', () => this.#isConverged);
    this.sleep(100);
  }

  get #isConverged(): boolean {
    const [first, ...others] = this.members;
    const { machine } = first as SimulatedHost;
    return others.every(
      (other) => other.machine.hash === machine.hash && machine.values.length === this.#appended,
    );
  }

  #create(id: NodeId): SimulatedHost {
    const node = this.world.addNode(`n${id}`, (platform) => this.#main(member, platform));
    const member = { id, node, image: new ListImage() } as SimulatedHost;
    return member;
  }

  async #main(member: SimulatedHost, platform: Platform): Promise<void> {
    const ids = [1, 2, 3] as NodeId[];
    const { config, configOf, damagePerMille, machine } = this.#options;
    member.machine =
      machine?.(member, platform) ?? new ListMachine(member.image, { chunkValues: valuesPerChunk });
    member.host = await createHost({
      platform,
      nodeId: member.id,
      clusterId: 7n,
      directory: 'data',
      peers: new Map(ids.map((id) => [id, { host: `n${id}`, port }])),
      listen: { host: '0.0.0.0', port },
      transport: damagingTransport(this.world, () => damagePerMille?.(member) ?? 0),
      config: {
        snapshotCount: 1,
        tailEntries: 0,
        laggingEntries: 0,
        logLimits: { segmentBytes },
        ...config,
        ...configOf?.(member),
      },
    });
    member.host.onFatal((error) => platform.spawn('fatal', () => Promise.reject(error)));
    member.group = await member.host.openGroup({
      id: 0,
      stateMachine: member.machine,
      initialConfiguration: configurationOf(ids),
    });
  }
}

/** Of four bytes each. */
export const valuesPerChunk = 16;
