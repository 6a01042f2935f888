import { generatedTape, runScenario } from '@flotilla/sim';
import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { FaultyCluster } from '../cluster/faulty-cluster.ts';
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
  readonly #cluster: FaultyCluster<LeaseHistory>;
  readonly #clients: LeaseClient[] = [];

  constructor(tape: Tape) {
    this.#cluster = new FaultyCluster(tape, (world) => new LeaseHistory(world));
    for (let number = 1; number <= measures.clients; number += 1) this.#addClient(number);
    this.#cluster.arm();
  }

  run(): RunResult {
    const cluster = this.#cluster;
    cluster.begin();
    cluster.unleash();
    cluster.world.run(measures.faultsMs);
    cluster.heal();
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    this.#await('lease outlived its time', measures.expiryMs, () =>
      this.#leases().every((left) => left === 0),
    );
    this.#await('no convergence', measures.convergenceMs, () => this.#converged());
    if (cluster.world.violation === null) this.#judge();
    return cluster.end();
  }

  #judge(): void {
    const { world, settings, members, written } = this.#cluster;
    const stories = this.#clients.flatMap((client) => client.stories);
    const driftFraction = (settings.world.driftPpmMax ?? 0) / 1e6;
    judgeLeases({ world, stories, deletions: written.deletions, driftFraction, members });
    written.judgeWatches();
  }

  #addClient(number: number): void {
    const { world, names: memberNames } = this.#cluster;
    const goesOn = (): boolean => world.now < measures.faultsMs;
    const client = new LeaseClient({ world, number, memberNames, goesOn });
    this.#clients.push(client);
    world.addNode(`c${number}`, (platform) => client.main(platform));
  }

  #await(name: string, withinMs: number, holds: () => boolean): void {
    this.#cluster.await(name, withinMs, holds, () => this.#describe());
  }

  #leases(): number[] {
    return this.#cluster.members.map(({ member }) =>
      member === null ? -1 : [...member.database.leases.all()].length,
    );
  }

  #converged(): boolean {
    return this.#clients.every((client) => client.finished) && this.#cluster.agrees;
  }

  #describe(): string {
    const waiting = this.#clients.filter((client) => !client.finished).length;
    const leases = this.#leases().join(', ');
    return `${this.#cluster.describe()}; ${waiting} clients are waiting; leases ${leases}`;
  }
}
