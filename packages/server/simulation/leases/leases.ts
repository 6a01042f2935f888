import { peerFrames } from '@flotilla/raft/simulation';
import { generatedTape, Nemesis, runScenario, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { drawClusterSettings } from '../cluster/cluster-settings.ts';
import type { ClusterSettings } from '../cluster/cluster-settings.ts';
import { MemberNode, peerPort } from '../cluster/member-node.ts';
import { LeaseClient } from './lease-client.ts';
import { LeaseHistory } from './lease-history.ts';
import { judgeLeases } from './lease-judge.ts';

const measures = {
  faultsMs: 25_000,
  clients: 6,
  /** From the end of all faults to members that agree, with clients that have ended. */
  convergenceMs: 60_000,
  /** From then on to the end of every lease: the longest one, what a new leader adds, and some looks of it. */
  expiryMs: 16_000,
} as const;

/**
 * Leases under everything that the nemesis can do: whatever was kept alive lives for the whole of its time, on the
 * fastest clock; whatever was not goes, all its keys at one revision.
 */
export const leasesScenario: Scenario = {
  name: 'leases',
  run: (tape) => new LeasesRun(tape).run(),
};

/** The scenario of mutations of leases. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(leasesScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

class LeasesRun {
  readonly #world: World;
  readonly #settings: ClusterSettings;
  readonly #history: LeaseHistory;
  readonly #members: MemberNode[] = [];
  readonly #memberNodes: SimNode[] = [];
  readonly #clients: LeaseClient[] = [];
  readonly #nemesis: Nemesis;

  constructor(tape: Tape) {
    const settings = drawClusterSettings(tape);
    this.#settings = settings;
    this.#world = new World({ tape, settings: settings.world });
    this.#history = new LeaseHistory(this.#world);
    this.#world.network.declareFrames(peerPort, peerFrames);
    const names = Array.from({ length: settings.members }, (_, i) => `n${i + 1}`);
    for (const name of names) this.#addMember(name, names);
    for (let number = 1; number <= measures.clients; number += 1) this.#addClient(number, names);
    this.#nemesis = new Nemesis({
      world: this.#world,
      victims: this.#memberNodes,
      bystanders: [...this.#world.nodes.values()].filter((node) => !this.#memberNodes.includes(node)),
      mix: settings.faults,
      intervalMinMs: settings.faultIntervalMinMs,
      intervalMaxMs: settings.faultIntervalMaxMs,
      durationMinMs: 50,
      durationMaxMs: settings.faultDurationMaxMs,
      favourite: () => this.#leader(),
    });
  }

  run(): RunResult {
    const world = this.#world;
    for (const node of world.nodes.values()) node.start();
    this.#nemesis.start();
    world.run(measures.faultsMs);
    this.#heal();
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    this.#await('lease outlived its time', measures.expiryMs, () =>
      this.#leases().every((left) => left === 0),
    );
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    if (world.violation === null) {
      const stories = this.#clients.flatMap((client) => client.stories);
      const driftFraction = (this.#settings.world.driftPpmMax ?? 0) / 1e6;
      judgeLeases({
        world,
        stories,
        deletions: this.#history.deletions,
        driftFraction,
        members: this.#members,
      });
      this.#history.judgeWatches();
    }
    world.end();
    return {
      violation: world.violation,
      events: world.events,
      simulatedMs: world.now,
      traceHash: world.hash.toString(),
      coverage: world.coverage.toJSON(),
      faults: world.faults,
    };
  }

  #addMember(name: string, names: readonly string[]): void {
    const elected = (): void => this.#world.coverage.count('leader elected');
    const member = new MemberNode(this.#world, this.#settings, name, names, this.#history, elected);
    this.#members.push(member);
    this.#memberNodes.push(this.#world.addNode(name, (platform) => member.main(platform)));
  }

  #addClient(number: number, memberNames: readonly string[]): void {
    const world = this.#world;
    const goesOn = (): boolean => world.now < measures.faultsMs;
    const client = new LeaseClient({ world, number, memberNames, goesOn });
    this.#clients.push(client);
    world.addNode(`c${number}`, (platform) => client.main(platform));
  }

  #leader(): SimNode | null {
    const leader = this.#members.find(({ member }) => member?.group.status().role === 'leader');
    return leader === undefined ? null : this.#world.node(leader.name);
  }

  /** Raft promises progress only where messages take less time than elections. */
  #heal(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    this.#nemesis.heal();
    world.settings = {
      ...world.settings,
      lossPerMille: 0,
      refusePerMille: 0,
      stallPerMille: 0,
      spikePerMille: 0,
    };
  }

  #await(name: string, withinMs: number, holds: () => boolean): void {
    const world = this.#world;
    if (world.violation !== null) return;
    world.run(withinMs, () => world.events % 16 === 0 && holds());
    if (world.violation === null && !holds()) world.violate(name, this.#describe());
  }

  #leases(): number[] {
    return this.#members.map(({ member }) =>
      member === null ? -1 : [...member.database.leases.all()].length,
    );
  }

  #converged(): boolean {
    if (this.#clients.some((client) => !client.finished)) return false;
    const statuses = this.#members.map(({ member }) => member?.group.status() ?? null);
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

  #describe(): string {
    const members = this.#members.map(({ name, member }) => {
      const status = member?.group.status();
      if (status === undefined) return `${name} has not started`;
      const { role, term, leader, applied, lastIndex } = status;
      return `${name}: ${role} of term ${term}, leader ${leader}, applied ${applied}, last ${lastIndex}`;
    });
    const clients = this.#clients.filter((client) => !client.finished).length;
    return [...members, `${clients} clients are waiting`, `leases ${this.#leases().join(', ')}`].join('; ');
  }
}
