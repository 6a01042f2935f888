import { History, put, range } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { SimClient } from './client.ts';
import type { EtcdHistory } from './client.ts';
import { FaultyCluster } from './faulty-cluster.ts';
import { judge } from './judge.ts';
import { recordCalls } from './record-cluster.ts';
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
  readonly #cluster: FaultyCluster;
  readonly #history: EtcdHistory;
  readonly #clients: SimClient[] = [];
  readonly #watchers: SimWatcher[] = [];

  constructor(tape: Tape) {
    this.#cluster = new FaultyCluster(tape, (world) => new WrittenHistory(world));
    // Events, not time: at one instant many things happen one after the other.
    this.#history = new History(() => this.#cluster.world.events);
    this.#addClients();
    this.#cluster.arm();
  }

  run(): RunResult {
    const cluster = this.#cluster;
    const { world, members, written } = cluster;
    cluster.begin();
    cluster.unleash();
    world.run(measures.faultsMs);
    cluster.heal();
    this.#converge(() => this.#clients.every((client) => client.finished));
    this.#readEverything();
    if (world.violation === null) {
      const { calls } = this.#history;
      judge({ world, calls, members, watchers: this.#watchers, written });
    }
    recordCalls(world, this.#history.calls);
    return cluster.end();
  }

  #addClients(): void {
    const { world, settings, names: memberNames } = this.#cluster;
    const history = this.#history;
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
    const { world } = this.#cluster;
    if (world.now < measures.faultsMs || world.events < measures.eventsMin) return true;
    return this.#clients.reduce((sum, client) => sum + client.requests, 0) < measures.requestsMin;
  }

  #converge(isDone: () => boolean): void {
    const converged = (): boolean => isDone() && this.#cluster.agrees && this.#watchersAreUpToDate();
    this.#cluster.await('no convergence', measures.convergenceMs, converged, () => this.#describe());
  }

  #watchersAreUpToDate(): boolean {
    const revision = this.#cluster.members[0]?.member?.database.revision ?? Infinity;
    return this.#watchers.every((watcher) => watcher.seenRevision >= revision);
  }

  #describe(): string {
    const clients = this.#clients.filter((client) => !client.finished).length;
    const watchers = this.#watchers.map((watcher) => `${watcher.name} at ${watcher.seenRevision}`);
    return [this.#cluster.describe(), `${clients} clients are waiting`, ...watchers].join('; ');
  }

  /** One write and one full read through every member, then everybody must have the same again. */
  #readEverything(): void {
    const { world, settings, names } = this.#cluster;
    if (world.violation !== null) return;
    const last = new SimClient({
      world,
      settings,
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
    this.#converge(() => done);
  }
}
