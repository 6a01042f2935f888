import { History, put, range } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import { peerFrames } from '@flotilla/raft/simulation';
import { Nemesis, World } from '@flotilla/sim';
import type { RunResult, Scenario, SimNode, Tape } from '@flotilla/sim';
import { SimClient } from './client.ts';
import type { EtcdHistory } from './client.ts';
import { drawClusterSettings } from './cluster-settings.ts';
import type { ClusterSettings } from './cluster-settings.ts';
import { judge } from './judge.ts';
import { MemberNode, peerPort } from './member-node.ts';
import { SimWatcher } from './watcher.ts';
import { WrittenHistory } from './written-history.ts';

/** What one seed is, whatever its settings. */
const measures = {
  faultsMs: 30_000,
  requestsMin: 200,
  eventsMin: 5_000,
  /** From the end of all faults to a cluster that has nothing left to do. */
  convergenceMs: 60_000,
  /** For one last request to a cluster without faults. */
  lastRequestMs: 5_000,
} as const;

/**
 * The whole database: members with their API, log, consensus and state on simulated disks and wires, clients and
 * watchers with connections of their own. Thirty seconds of faults, then everything is healed: the cluster must
 * converge, serve through every member, and what clients and watchers saw must have been one history.
 */
export const clusterScenario: Scenario = {
  name: 'cluster',
  run: (tape) => new ClusterRun(tape).run(),
};

class ClusterRun {
  readonly #world: World;
  readonly #settings: ClusterSettings;
  readonly #history: EtcdHistory;
  readonly #members: MemberNode[] = [];
  readonly #memberNodes: SimNode[] = [];
  readonly #clients: SimClient[] = [];
  readonly #watchers: SimWatcher[] = [];
  readonly #leaders = new Map<number, string>();
  readonly #nemesis: Nemesis;
  readonly #written: WrittenHistory;

  constructor(tape: Tape) {
    const settings = drawClusterSettings(tape);
    this.#settings = settings;
    this.#world = new World({ tape, settings: settings.world });
    this.#written = new WrittenHistory(this.#world);
    this.#world.network.declareFrames(peerPort, peerFrames);
    // Events, not time: at one instant many things happen one after the other.
    this.#history = new History(() => this.#world.events);
    const names = Array.from({ length: settings.members }, (_, i) => `n${i + 1}`);
    this.#addMembers(names);
    this.#addClients(names);
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
    this.#converge();
    this.#readEverything();
    if (world.violation === null) {
      const { calls } = this.#history;
      judge({ world, calls, members: this.#members, watchers: this.#watchers, written: this.#written });
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

  #addMembers(names: readonly string[]): void {
    const elected = (term: number, name: string): void => {
      const other = this.#leaders.get(term);
      this.#leaders.set(term, name);
      this.#world.coverage.count('leader elected');
      if (other !== undefined && other !== name) {
        this.#world.violate('two leaders', `${other} and ${name} both lead term ${term}`);
      }
    };
    for (const name of names) {
      const member = new MemberNode(this.#world, this.#settings, name, names, this.#written, elected);
      this.#members.push(member);
      this.#memberNodes.push(this.#world.addNode(name, (platform) => member.main(platform)));
    }
  }

  #addClients(memberNames: readonly string[]): void {
    const [world, settings, history] = [this.#world, this.#settings, this.#history];
    for (let number = 0; number < settings.clients; number += 1) {
      const goesOn = (): boolean => this.#clientsGoOn();
      const client = new SimClient({ world, settings, number, memberNames, history, goesOn });
      this.#clients.push(client);
      world.addNode(`c${number + 1}`, (platform) => client.main(platform));
    }
    for (let i = 0; i < settings.watchers; i += 1) {
      const name = `w${i + 1}`;
      const prefix = ['\0', 's/', 'solo/'][i] ?? '\0';
      const prevKv = world.tape.chance(1, 2, 'watch with previous values');
      const filter =
        (['none', 'none', 'puts', 'deletions'] as const)[world.tape.choose(4, 'watch filter')] ?? 'none';
      const watcher = new SimWatcher({ world, name, memberNames, prefix, prevKv, filter });
      this.#watchers.push(watcher);
      world.addNode(name, (platform) => watcher.main(platform));
    }
  }

  #clientsGoOn(): boolean {
    if (this.#world.now < measures.faultsMs || this.#world.events < measures.eventsMin) return true;
    return this.#clients.reduce((sum, client) => sum + client.requests, 0) < measures.requestsMin;
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

  #converge(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    world.run(measures.convergenceMs, () => world.events % 16 === 0 && this.#converged());
    if (world.violation !== null || this.#converged()) return;
    world.violate('no convergence', this.#describe());
  }

  #converged(): boolean {
    if (this.#clients.some((client) => !client.finished)) return false;
    return this.#membersAgree() && this.#watchersAreUpToDate();
  }

  #membersAgree(): boolean {
    const statuses = this.#members.map(({ member }) => member?.group.status() ?? null);
    const [first] = statuses;
    return (
      first !== null &&
      first !== undefined &&
      first.leader !== 0 &&
      statuses.every(
        (status) =>
          status !== null &&
          status.leader === first.leader &&
          status.term === first.term &&
          status.applied === first.applied &&
          status.lastIndex === first.applied,
      )
    );
  }

  #watchersAreUpToDate(): boolean {
    const revision = this.#members[0]?.member?.database.revision ?? Infinity;
    return this.#watchers.every((watcher) => watcher.seenRevision >= revision);
  }

  #describe(): string {
    const members = this.#members.map(({ name, member }) => {
      const status = member?.group.status();
      if (status === undefined) return `${name} has not started`;
      const { role, term, leader, commit, applied, lastIndex, failure } = status;
      return `${name}: ${role} of term ${term}, leader ${leader}, commit ${commit}, applied ${applied}, last ${lastIndex}${failure === null ? '' : `, ${failure}`}`;
    });
    const clients = this.#clients.filter((client) => !client.finished).length;
    const watchers = this.#watchers.map((watcher) => `${watcher.name} at ${watcher.seenRevision}`);
    return [...members, `${clients} clients are waiting`, ...watchers].join('; ');
  }

  /** One write and one full read through every member, then everybody must have the same again. */
  #readEverything(): void {
    const world = this.#world;
    if (world.violation !== null) return;
    const names = this.#members.map((member) => member.name);
    const last = new SimClient({
      world,
      settings: this.#settings,
      number: this.#clients.length,
      memberNames: names,
      history: this.#history,
      goesOn: () => false,
    });
    let done = false;
    const main = async (platform: Platform): Promise<void> => {
      last.open(platform);
      for (const [index, name] of names.entries()) {
        const requests = [put('s/last', name), range('\0', { rangeEnd: '\0' })];
        for (const request of requests) {
          const response = await last.request(index, request, measures.lastRequestMs);
          if (response === null)
            world.violate('not serving', `${name} did not answer a last ${request.type}`);
        }
      }
      last.close();
      done = true;
    };
    world.addNode('last', main).start();
    const over = (): boolean => done && this.#membersAgree() && this.#watchersAreUpToDate();
    world.run(measures.convergenceMs, () => world.events % 16 === 0 && over());
    if (world.violation === null && !over()) world.violate('no convergence', this.#describe());
  }
}
