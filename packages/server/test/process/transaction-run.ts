import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkRevisions, checkWatches, type EtcdCall, type Verdict, writeHistory } from '@flotilla/check';
import { type Random, seededRandom } from '@flotilla/platform';
import { everywhere } from '../../simulation/transactions/everywhere.ts';
import { workloads } from '../../simulation/transactions/workloads.ts';
import { type MemberProcess, pause, ProcessCluster } from './process-cluster.ts';
import { type EtcdHistory, newHistory, record } from './traffic.ts';
import { TransactionTraffic } from './transaction-traffic.ts';
import { watchEverything, writtenOrder } from './watching.ts';

export interface TransactionPlan {
  readonly seed: number;
  readonly durationMs: number;
  readonly clientsOfEach: number;
  readonly onProgress?: (line: string) => void;
}

export interface TransactionReport {
  /** By judge: `ok`, or what is wrong. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly history: readonly EtcdCall[];
  readonly errands: number;
  readonly faults: number;
  /** The last revision that was written. */
  readonly revision: number;
  /** From the end of each fault until every member has answered a transaction over all keys. */
  readonly inDoubtMs: readonly number[];
}

/** No transaction is in doubt for longer once its members are back. */
export const inDoubtMsMax = 5_000;
const faultMsMax = 3_000;
const calmMsMax = 1_500;
const backMsMax = 60_000;
/** The run's own requests have numbers that no workload has. */
const ownNumber = 100_000;

/** All workloads on real members that are killed, stopped and cut off, and what their judges say. */
export async function runTransactions(plan: TransactionPlan): Promise<TransactionReport> {
  const cluster = await ProcessCluster.start({ throughLinks: true });
  try {
    return await new TransactionRun(cluster, plan).run();
  } catch (error) {
    throw new Error(`${String((error as Error).stack)}\n${cluster.logs()}`, { cause: error });
  } finally {
    await cluster.remove();
  }
}

class TransactionRun {
  readonly #cluster: ProcessCluster;
  readonly #plan: TransactionPlan;
  readonly #random: Random;
  readonly #history: EtcdHistory = newHistory();
  readonly #inDoubtMs: number[] = [];
  #faults = 0;
  #asked = 0;

  constructor(cluster: ProcessCluster, plan: TransactionPlan) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = seededRandom(plan.seed).fork('faults');
  }

  async run(): Promise<TransactionReport> {
    const { seed, durationMs, clientsOfEach } = this.#plan;
    const endpoints = this.#cluster.members.map(({ endpoint }) => endpoint);
    await this.#everybodyAnswers();
    const traffic = new TransactionTraffic(this.#history, endpoints, workloads, clientsOfEach, seed);
    const end = performance.now() + durationMs;
    while (performance.now() < end) {
      await pause(calmMsMax * this.#random.float());
      const what = await this.#fault();
      this.#faults += 1;
      const begin = performance.now();
      await this.#everybodyAnswers();
      const backMs = performance.now() - begin;
      this.#inDoubtMs.push(backMs);
      this.#plan.onProgress?.(`${what}; everybody answers ${backMs.toFixed(0)} ms after it`);
    }
    await traffic.stop();
    return await this.#judge(traffic);
  }

  /** Done and over: who was hit serves again. */
  async #fault(): Promise<string> {
    const { members } = this.#cluster;
    const durationMs = faultMsMax * this.#random.float();
    const victim = await this.#victim();
    const name = `n${victim.index + 1}`;
    switch (this.#random.below(5)) {
      case 0:
        await this.#cluster.kill(victim);
        await pause(durationMs);
        await this.#cluster.restart(victim);
        return `${name} was killed`;
      case 1:
        await Promise.all(members.map((member) => this.#cluster.kill(member)));
        await Promise.all(members.map((member) => this.#cluster.restart(member)));
        return 'everybody was killed';
      case 2:
        this.#cluster.freeze(victim);
        await pause(durationMs);
        this.#cluster.thaw(victim);
        return `${name} was stopped for ${durationMs.toFixed(0)} ms`;
      case 3:
        this.#cluster.links?.partition([victim.index]);
        await pause(durationMs);
        this.#cluster.links?.partition([]);
        return `${name} was cut off for ${durationMs.toFixed(0)} ms`;
      default:
        // Every connection between members is cut, and may be made anew at once.
        this.#cluster.links?.partition([]);
        return 'all connections between members were cut';
    }
  }

  /** Every other time whoever leads. */
  async #victim(): Promise<MemberProcess> {
    const { members } = this.#cluster;
    const drawn = this.#random.below(2 * members.length);
    return members[drawn] ?? (await this.#cluster.leader(backMsMax));
  }

  async #everybodyAnswers(): Promise<void> {
    await Promise.all(this.#cluster.members.map((member) => this.#answers(member)));
  }

  async #answers({ index, channel }: MemberProcess): Promise<void> {
    const end = performance.now() + backMsMax;
    while (performance.now() < end) {
      this.#asked += 1;
      const request = everywhere(`${index}.${this.#asked}`);
      if ((await record(this.#history, ownNumber + index, channel, request, inDoubtMsMax)) !== null) return;
      await pause(20);
    }
    throw new Error(`n${index + 1} answered no transaction within ${backMsMax} ms`);
  }

  async #judge(traffic: TransactionTraffic): Promise<TransactionReport> {
    const [first] = this.#cluster.members as [MemberProcess, ...MemberProcess[]];
    const last = await record(this.#history, ownNumber, first.channel, everywhere('last'), backMsMax);
    if (last === null || last.type === 'error') throw new Error('the last transaction was not answered');
    // Each member tells the whole history, so that a member that has another one shows.
    const whole = await Promise.all(
      this.#cluster.members.map(({ index, channel }) =>
        watchEverything(`history of n${index + 1}`, channel, last.revision),
      ),
    );
    const { calls } = this.#history;
    const persisted = whole[0] === undefined ? [] : writtenOrder(whole[0]);
    const { verdict, revisions } = checkRevisions(calls, { persisted });
    const verdicts = new Map<string, Verdict>([
      ['revisions', verdict],
      ['watches', checkWatches(whole, revisions)],
    ]);
    for (const workload of workloads) {
      const judged = workload.judge({ calls: traffic.callsOf(workload), revisions });
      for (const [name, said] of judged) verdicts.set(`${workload.name}: ${name}`, said);
    }
    return {
      verdicts,
      history: calls,
      errands: traffic.errands,
      faults: this.#faults,
      revision: last.revision,
      inDoubtMs: this.#inDoubtMs,
    };
  }
}

/** Keeps a history that somebody has to look at; answers where. */
export function keepHistory(history: readonly EtcdCall[]): string {
  const file = join(tmpdir(), `flotilla-transactions-${process.pid}.ndjson`);
  writeFileSync(file, writeHistory(history));
  return file;
}
