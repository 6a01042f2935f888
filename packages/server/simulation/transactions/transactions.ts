import { describeVerdict, History } from '@flotilla/check';
import type { Platform } from '@flotilla/platform';
import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { SimClient } from '../cluster/client.ts';
import type { EtcdHistory } from '../cluster/client.ts';
import { drawClusterSettings } from '../cluster/cluster-settings.ts';
import { FaultyCluster } from '../cluster/faulty-cluster.ts';
import { hurriedSettings } from '../cluster/hurried-settings.ts';
import { WrittenHistory } from '../cluster/written-history.ts';
import type { Member } from '../../src/member/member.ts';
import { everywhere } from './everywhere.ts';
import { InDoubt } from './in-doubt.ts';
import { judgeReplicas } from './judge-replicas.ts';
import { judgeTransactions } from './judge-transactions.ts';
import { ShardChanges } from './shard-changes.ts';
import { describeShards, shardsAtRest } from './shards-at-rest.ts';
import { TransactionClient } from './transaction-client.ts';
import type { Workload } from './workload.ts';
import { workloads } from './workloads.ts';

/** For a transaction over all keys in a cluster without faults: no transaction is in doubt for longer. */
const inDoubtMs = 5_000;

interface Pace {
  readonly faultsMs: number;
  /** From the end of all faults to members that agree, with clients that have ended. */
  readonly convergenceMs: number;
  readonly hurry: number;
}

const plainPace: Pace = { faultsMs: 12_000, convergenceMs: 60_000, hurry: 1 };
/** A cluster that is sharded does so much more in the same time. */
const shardedPace: Pace = { faultsMs: 2_000, convergenceMs: 30_000, hurry: 4 };

/** One scenario for each workload, by its name. */
export const transactionScenarios: readonly Scenario[] = workloads.map((workload) =>
  scenarioOf(workload, false),
);

/** The same on a cluster that is sharded, and whose shards are split, merged and moved all the while. */
export const shardedScenarios: readonly Scenario[] = workloads.map((workload) => scenarioOf(workload, true));

/**
 * Clients of a workload on a cluster under faults. When all is healed every member answers a transaction that reads
 * and writes the whole key space, and what all clients were told was one strictly serializable history.
 */
export function scenarioOf(workload: Workload, isSharded: boolean): Scenario {
  const name = isSharded ? `sharded-${workload.name}` : workload.name;
  return { name, run: (tape) => new TransactionsRun(tape, workload, isSharded).run() };
}

class TransactionsRun {
  readonly #cluster: FaultyCluster;
  readonly #workload: Workload;
  readonly #history: EtcdHistory;
  readonly #clients: TransactionClient[] = [];
  readonly #changes: ShardChanges | null;
  readonly #inDoubt: InDoubt;
  readonly #pace: Pace;

  constructor(tape: Tape, workload: Workload, isSharded: boolean) {
    const pace = isSharded ? shardedPace : plainPace;
    const settings = hurriedSettings(drawClusterSettings(tape), pace.hurry);
    this.#pace = pace;
    this.#cluster = new FaultyCluster(tape, (world) => new WrittenHistory(world), settings);
    this.#inDoubt = new InDoubt(this.#cluster.world);
    this.#workload = workload;
    // Events, not time: at one instant many things happen one after the other.
    this.#history = new History(() => this.#cluster.world.events);
    for (let number = 0; number < this.#cluster.settings.clients; number += 1) this.#addClient(number);
    this.#cluster.arm();
    const { world, members } = this.#cluster;
    const goesOn = (): boolean => world.now < pace.faultsMs;
    this.#changes = isSharded ? new ShardChanges({ world, members, goesOn }) : null;
  }

  run(): RunResult {
    const cluster = this.#cluster;
    cluster.begin();
    cluster.unleash();
    this.#changes?.start();
    cluster.world.run(this.#pace.faultsMs);
    cluster.heal();
    this.#converge(() => this.#clients.every((client) => client.finished));
    this.#askEverybody();
    if (cluster.world.violation === null) this.#judge();
    return cluster.end();
  }

  #addClient(number: number): void {
    const { world, settings, names: memberNames } = this.#cluster;
    const goesOn = (): boolean => world.now < this.#pace.faultsMs;
    const options = { world, settings, number, memberNames, history: this.#history, goesOn };
    const client = new TransactionClient(options, this.#workload);
    this.#clients.push(client);
    world.addNode(`c${number + 1}`, (platform) => client.main(platform));
  }

  #converge(isDone: () => boolean): void {
    const converged = (): boolean => {
      this.#inDoubt.look(this.#running);
      return isDone() && this.#cluster.agrees && this.#isAtRest && this.#isTold;
    };
    this.#cluster.await('no convergence', this.#pace.convergenceMs, converged, () => this.#describe());
  }

  get #running(): Member[] {
    return this.#cluster.members.flatMap(({ member }) => member ?? []);
  }

  get #isAtRest(): boolean {
    const { members } = this.#cluster;
    return this.#changes === null || shardsAtRest(members.map(({ member }) => member));
  }

  /** Whoever watches has been told of everything. */
  get #isTold(): boolean {
    const { names, written } = this.#cluster;
    const revisions = this.#running.map(
      ({ shards, database }) => shards.order?.frontier ?? database.revision,
    );
    return written.isTold(names, Math.max(...revisions));
  }

  #describe(): string {
    const { members, names, written } = this.#cluster;
    const waiting = this.#clients.filter((client) => !client.finished).length;
    const told = names.map((name) => `${name} ${written.toldBy(name)}`).join(', ');
    const shards = this.#changes === null ? '' : `; ${describeShards(members.map(({ member }) => member))}`;
    return `${this.#cluster.describe()}; ${waiting} clients are waiting; told ${told}${shards}`;
  }

  /** Nothing that a client has begun is in the way of anybody. */
  #askEverybody(): void {
    const { world, settings, names: memberNames } = this.#cluster;
    if (world.violation !== null) return;
    const options = { world, settings, memberNames, history: this.#history, goesOn: () => false };
    const last = new SimClient({ ...options, number: settings.clients });
    let done = false;
    const main = async (platform: Platform): Promise<void> => {
      last.open(platform);
      for (const [member, name] of memberNames.entries()) {
        const answer = await last.request(member, everywhere(name), inDoubtMs);
        if (answer === null) world.violate('in doubt', `${name} did not answer a last transaction`);
      }
      last.close();
      done = true;
    };
    world.addNode('last', main).start();
    this.#converge(() => done);
  }

  #judge(): void {
    const { world, written } = this.#cluster;
    const { calls } = this.#history;
    judgeReplicas(world, this.#running);
    written.judgeWatches();
    world.coverage.count('calls judged', calls.length);
    for (const [name, verdict] of judgeTransactions(this.#workload, calls, written.complete())) {
      if (verdict.outcome === 'ok') continue;
      const rule = verdict.outcome === 'illegal' ? verdict.violations[0]?.rule : null;
      world.violate(rule ?? name, describeVerdict(verdict));
    }
  }
}
