import { Client } from '@flotilla/client/core';
import { peerFrames } from '@flotilla/raft/simulation';
import { generatedTape, Nemesis, runScenario, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { drawClusterSettings } from '../cluster/cluster-settings.ts';
import type { ClusterSettings } from '../cluster/cluster-settings.ts';
import { clientPort, MemberNode, peerPort } from '../cluster/member-node.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import { judgeClients } from './client-judge.ts';
import { ClientUser, worldOf } from './client-user.ts';

const measures = {
  faultsMs: 20_000,
  clients: 3,
  /** From the end of all faults until every client is done: a request may take its whole time first. */
  convergenceMs: 90_000,
} as const;

/**
 * `@flotilla/client` itself, over the simulator's wires, on a cluster that the nemesis has its way with: every write
 * takes effect as often as the client says, watches have no gap and no repeat, and no two hold a lock.
 */
export const clientScenario: Scenario = {
  name: 'client',
  run: (tape) => new ClientRun(tape).run(),
};

/** The scenario of mutations of the client. */
export async function run(
  seed: number,
): Promise<{ readonly violation: null | { readonly invariant: string; readonly message: string } }> {
  const { violation } = await runScenario(clientScenario, generatedTape(seed));
  return { violation: violation === null ? null : { invariant: violation.name, message: violation.message } };
}

class ClientRun {
  readonly #world: World;
  readonly #settings: ClusterSettings;
  readonly #written: WrittenHistory;
  readonly #names: readonly string[];
  readonly #members: MemberNode[] = [];
  readonly #memberNodes: SimNode[] = [];
  readonly #users: ClientUser[] = [];
  readonly #nemesis: Nemesis;

  constructor(tape: Tape) {
    const settings = drawClusterSettings(tape);
    this.#settings = settings;
    this.#world = new World({ tape, settings: settings.world });
    this.#written = new WrittenHistory(this.#world);
    this.#world.network.declareFrames(peerPort, peerFrames);
    this.#names = Array.from({ length: settings.members }, (_, i) => `n${i + 1}`);
    for (const name of this.#names) this.#addMember(name);
    for (let number = 1; number <= measures.clients; number += 1) this.#addUser(number);
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
    this.#finish();
    if (world.violation === null) judgeClients(world, this.#written, this.#users);
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

  #addMember(name: string): void {
    const elected = (): void => this.#world.coverage.count('leader elected');
    const member = new MemberNode(this.#world, this.#settings, name, this.#names, this.#written, elected);
    this.#members.push(member);
    this.#memberNodes.push(this.#world.addNode(name, (platform) => member.main(platform)));
  }

  #addUser(number: number): void {
    const world = this.#world;
    const user = new ClientUser({
      world,
      number,
      memberNames: this.#names,
      compacts: this.#settings.compacts,
      goesOn: () => world.now < measures.faultsMs,
    });
    this.#users.push(user);
    world.addNode(`c${number}`, (platform) => user.main(platform));
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
    const none = { lossPerMille: 0, refusePerMille: 0, stallPerMille: 0, spikePerMille: 0 };
    world.settings = { ...world.settings, ...none };
  }

  /** When all work is done one more client writes the end that every watch waits for. */
  #finish(): void {
    const world = this.#world;
    this.#await(() => this.#users.every((user) => user.isIdle));
    if (world.violation !== null) return;
    const last = world.addNode('last', async (platform) => {
      const endpoints = this.#names.map((name) => `http://${name}:${clientPort}`);
      const client = new Client(worldOf(platform), { endpoints });
      await client.put('p/end', 'end', { timeoutMs: measures.convergenceMs });
      await client.close();
    });
    last.start();
    this.#await(() => this.#users.every((user) => user.finished));
  }

  #await(holds: () => boolean): void {
    const world = this.#world;
    if (world.violation !== null) return;
    world.run(measures.convergenceMs, () => world.events % 16 === 0 && holds());
    if (world.violation !== null || holds()) return;
    world.violate('no convergence', this.#users.map((user) => user.describe()).join('; '));
  }
}
