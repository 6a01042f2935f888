import { Client } from '@flotilla/client/core';
import { generatedTape, runScenario } from '@flotilla/sim';
import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { FaultyCluster } from '../cluster/faulty-cluster.ts';
import { clientPort } from '../cluster/member-node.ts';
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
  readonly #cluster: FaultyCluster;
  readonly #users: ClientUser[] = [];

  constructor(tape: Tape) {
    this.#cluster = new FaultyCluster(tape, (world) => new WrittenHistory(world));
    for (let number = 1; number <= measures.clients; number += 1) this.#addUser(number);
    this.#cluster.arm();
  }

  run(): RunResult {
    const cluster = this.#cluster;
    cluster.begin();
    cluster.unleash();
    cluster.world.run(measures.faultsMs);
    cluster.heal();
    this.#finish();
    if (cluster.world.violation === null) judgeClients(cluster.world, cluster.written, this.#users);
    return cluster.end();
  }

  #addUser(number: number): void {
    const { world, settings, names: memberNames } = this.#cluster;
    const goesOn = (): boolean => world.now < measures.faultsMs;
    const user = new ClientUser({ world, number, memberNames, compacts: settings.compacts, goesOn });
    this.#users.push(user);
    world.addNode(`c${number}`, (platform) => user.main(platform));
  }

  /** When all work is done one more client writes the end that every watch waits for. */
  #finish(): void {
    const { world, names } = this.#cluster;
    this.#await(() => this.#users.every((user) => user.isIdle));
    if (world.violation !== null) return;
    const last = world.addNode('last', async (platform) => {
      const endpoints = names.map((name) => `http://${name}:${clientPort}`);
      const client = new Client(worldOf(platform), { endpoints });
      await client.put('p/end', 'end', { timeoutMs: measures.convergenceMs });
      await client.close();
    });
    last.start();
    this.#await(() => this.#users.every((user) => user.finished));
  }

  #await(holds: () => boolean): void {
    const describe = (): string => this.#users.map((user) => user.describe()).join('; ');
    this.#cluster.await('no convergence', measures.convergenceMs, holds, describe);
  }
}
