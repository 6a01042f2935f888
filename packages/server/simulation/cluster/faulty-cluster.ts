import { peerFrames } from '@flotilla/raft/simulation';
import { Nemesis, resultOf, World } from '@flotilla/sim';
import type { RunResult, SimNode, Tape } from '@flotilla/sim';
import { drawClusterSettings } from './cluster-settings.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { MemberNode, peerPort } from './member-node.ts';
import { recordCluster } from './record-cluster.ts';
import type { WrittenHistory } from './written-history.ts';

/**
 * Members on simulated disks and wires, and a nemesis that has its way with them: the frame of every run of whole
 * members under faults. Who uses it adds nodes of its own, lets time pass, heals, and judges.
 *
 * @example
 * const cluster = new FaultyCluster(tape, (world) => new WrittenHistory(world));
 * cluster.world.addNode('c1', (platform) => client.main(platform));
 * cluster.arm();
 * cluster.begin();
 * cluster.world.run(25_000);
 * cluster.heal();
 * cluster.await('no convergence', 60_000, () => client.finished && cluster.agrees, () => cluster.describe());
 * return cluster.end();
 */
export class FaultyCluster<Written extends WrittenHistory = WrittenHistory> {
  readonly world: World;
  readonly settings: ClusterSettings;
  readonly written: Written;
  readonly names: readonly string[];
  readonly members: readonly MemberNode[];
  readonly #nodes: readonly SimNode[];
  readonly #leaders = new Map<number, string>();
  #nemesis: Nemesis | null = null;

  /** `settings`: drawn for a cluster like any, unless its run is of another length. */
  constructor(tape: Tape, written: (world: World) => Written, settings = drawClusterSettings(tape)) {
    this.settings = settings;
    const world = new World({ tape, settings: settings.world });
    this.world = world;
    this.written = written(world);
    world.network.declareFrames(peerPort, peerFrames);
    this.names = Array.from({ length: settings.members }, (_, i) => `n${i + 1}`);
    const elected = (term: number, name: string): void => this.#elected(term, name);
    this.members = this.names.map(
      (name) => new MemberNode(world, settings, name, this.names, this.written, elected),
    );
    this.#nodes = this.members.map((member) =>
      world.addNode(member.name, (platform) => member.main(platform)),
    );
    recordCluster(world, this.members);
  }

  /** From now on the nemesis knows its victims. Nodes that are there by then are cut off and slowed, too. */
  arm(): void {
    const { settings, world } = this;
    this.#nemesis = new Nemesis({
      world,
      victims: this.#nodes,
      bystanders: [...world.nodes.values()].filter((node) => !this.#nodes.includes(node)),
      mix: settings.faults,
      intervalMinMs: settings.faultIntervalMinMs,
      intervalMaxMs: settings.faultIntervalMaxMs,
      durationMinMs: 50,
      durationMaxMs: settings.faultDurationMaxMs,
      favourite: () => this.#leader(),
    });
  }

  /** Starts every node. */
  begin(): void {
    for (const node of this.world.nodes.values()) node.start();
  }

  /** The faults begin. */
  unleash(): void {
    this.#nemesis?.start();
  }

  /** Raft promises progress only where messages take less time than elections. */
  heal(): void {
    const { world } = this;
    if (world.violation !== null) return;
    this.#nemesis?.heal();
    const none = { lossPerMille: 0, refusePerMille: 0, stallPerMille: 0, spikePerMille: 0 };
    world.settings = { ...world.settings, ...none };
  }

  /** Lets time pass until it holds; that it does not in time violates `name`. */
  await(name: string, withinMs: number, holds: () => boolean, describe: () => string): void {
    const { world } = this;
    if (world.violation !== null) return;
    world.run(withinMs, () => world.events % 16 === 0 && holds());
    if (world.violation === null && !holds()) world.violate(name, describe());
  }

  /** Everybody follows one leader, and has applied all that there is. */
  get agrees(): boolean {
    const statuses = this.members.map(({ member }) => member?.group.status() ?? null);
    const [first] = statuses;
    return (
      first !== null &&
      first !== undefined &&
      first.leader !== 0 &&
      statuses.every(
        (status) =>
          status !== null &&
          status.stateReady &&
          status.leader === first.leader &&
          status.term === first.term &&
          status.applied === first.applied &&
          status.lastIndex === first.applied,
      )
    );
  }

  describe(): string {
    const members = this.members.map(({ name, member }) => {
      const status = member?.group.status();
      if (status === undefined) return `${name} has not started`;
      const { role, term, leader, commit, applied, lastIndex, failure } = status;
      const state = `${role} of term ${term}, leader ${leader}, commit ${commit}, applied ${applied}, last ${lastIndex}`;
      return `${name}: ${state}${failure === null ? '' : `, ${failure}`}`;
    });
    return members.join('; ');
  }

  end(): RunResult {
    const { world } = this;
    world.end();
    return resultOf(world);
  }

  #elected(term: number, name: string): void {
    const other = this.#leaders.get(term);
    this.#leaders.set(term, name);
    this.world.coverage.count('leader elected');
    if (other === undefined || other === name) return;
    this.world.violate('two leaders', `${other} and ${name} both lead term ${term}`);
  }

  #leader(): SimNode | null {
    const leader = this.members.find(({ member }) => member?.group.status().role === 'leader');
    return leader === undefined ? null : this.world.node(leader.name);
  }
}
