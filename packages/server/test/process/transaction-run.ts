import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkRevisions,
  checkWatches,
  type EtcdCall,
  type EtcdRequest,
  put,
  type Verdict,
  writeHistory,
} from '@flotilla/check';
import { type Random, seededRandom } from '@flotilla/platform';
import type { RpcChannel } from '@flotilla/wire';
import { everywhere } from '../../simulation/transactions/everywhere.ts';
import { splitKeys, spreadKeys } from '../../simulation/transactions/key-spread.ts';
import { workloads } from '../../simulation/transactions/workloads.ts';
import { countAcrossShards } from './across-shards.ts';
import { DoubtWatch, unfinishedOf } from './doubt-watch.ts';
import { type MemberProcess, pause, ProcessCluster } from './process-cluster.ts';
import { type FaultKind, ProcessFaults } from './process-faults.ts';
import { beginShards, historyOfShards } from './shard-calls.ts';
import { type SeenShards, ShardChurn } from './shard-churn.ts';
import { type EtcdHistory, newHistory, record } from './traffic.ts';
import { TransactionTraffic } from './transaction-traffic.ts';
import { watchEverything, writtenOrder } from './watching.ts';

export interface TransactionPlan {
  readonly seed: number;
  readonly durationMs: number;
  readonly clientsOfEach: number;
  readonly members: number;
  /** 1: the cluster is not sharded. */
  readonly shards: number;
  /** 1, or more on a machine that is busy with something else: everybody waits so many times as long for everybody. */
  readonly patience: number;
  readonly onProgress?: (line: string) => void;
}

export interface TransactionReport {
  /** By judge: `ok`, or what is wrong. */
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly history: readonly EtcdCall[];
  readonly workloads: readonly WorkloadFigures[];
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** The last revision that was written. */
  readonly revision: number;
  /** From the end of each fault until every member has answered a transaction that writes on every shard. */
  readonly answersMs: readonly number[];
  /** Null: the cluster was not sharded. */
  readonly shards: ShardFigures | null;
}

export interface WorkloadFigures {
  readonly name: string;
  readonly operations: number;
  readonly unknown: number;
  /** Transactions that were answered and had keys in several shards. */
  readonly acrossShards: number;
}

export interface ShardFigures {
  /** What the order's history has of the run, by kind. */
  readonly changes: ReadonlyMap<string, number>;
  readonly refusedChanges: number;
  /** The longest that a transaction held locks after all its shards were back. */
  readonly longestDoubtMs: number;
  /** From the end of all traffic until no replica had a lock, a request that waits or a change of its range; null: never. */
  readonly locksGoneMs: number | null;
}

/** No transaction is in doubt for longer once its members are back. */
export const inDoubtMsMax = 5_000;
const calmMsMax = 1_500;
const backMsMax = 60_000;
const beginMsMax = 60_000;
/** The run's own requests have numbers that no workload has. */
const ownNumber = 100_000;

/** All workloads on real members that are killed, stopped and cut off, and what their judges say. */
export async function runTransactions(plan: TransactionPlan): Promise<TransactionReport> {
  const cluster = await ProcessCluster.start({
    members: plan.members,
    throughLinks: true,
    flags: [`--election-timeout=${1_000 * plan.patience}`, `--heartbeat-interval=${100 * plan.patience}`],
  });
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
  readonly #faults: ProcessFaults;
  readonly #history: EtcdHistory = newHistory();
  readonly #answersMs: number[] = [];
  readonly #doubt: DoubtWatch;
  #asked = 0;

  constructor(cluster: ProcessCluster, plan: TransactionPlan) {
    this.#cluster = cluster;
    this.#plan = plan;
    this.#random = seededRandom(plan.seed);
    this.#faults = new ProcessFaults(cluster, this.#random.fork('faults'));
    this.#doubt = new DoubtWatch(cluster.members);
  }

  async run(): Promise<TransactionReport> {
    const { seed, clientsOfEach, patience } = this.#plan;
    const endpoints = this.#cluster.members.map(({ endpoint }) => endpoint);
    await this.#everybodyAnswers();
    const clients = { ofEach: clientsOfEach, patience };
    const traffic = new TransactionTraffic(this.#history, endpoints, workloads, clients, seed);
    const begun = await this.#begin();
    const churn =
      begun === null ? null : new ShardChurn(this.#channels, this.#random.fork('churn'), this.#plan);
    await this.#strike();
    await churn?.stop();
    await traffic.stop();
    await this.#doubt.stop();
    const stoppedMs = performance.now();
    const shards =
      begun === null || churn === null ? null : await this.#shardFigures(begun, churn, stoppedMs);
    return await this.#judge(traffic, shards, churn?.seen ?? []);
  }

  /** The configuration from which on shards are changed; null: there are none. */
  async #begin(): Promise<number | null> {
    const { shards } = this.#plan;
    if (shards === 1) return null;
    const [channel] = this.#channels as [RpcChannel];
    const { configuration } = await beginShards(channel, splitKeys(shards), beginMsMax * this.#plan.patience);
    this.#say(`${shards} shards`);
    return configuration;
  }

  async #strike(): Promise<void> {
    const end = performance.now() + this.#plan.durationMs;
    while (performance.now() < end) {
      await pause(calmMsMax * this.#random.float());
      this.#doubt.faultBegins();
      const what = await this.#faults.strike();
      this.#doubt.faultEnds();
      const begin = performance.now();
      await this.#everybodyAnswers();
      const backMs = performance.now() - begin;
      this.#answersMs.push(backMs);
      this.#say(`${what}; everybody answers ${backMs.toFixed(0)} ms after it`);
    }
  }

  async #shardFigures(begun: number, churn: ShardChurn, stoppedMs: number): Promise<ShardFigures> {
    const locksGoneMs = await this.#locksGone(stoppedMs);
    const changes = new Map<string, number>();
    for (const { configuration, kind } of await historyOfShards(this.#channels[0] as RpcChannel)) {
      if (configuration > begun) changes.set(kind, (changes.get(kind) ?? 0) + 1);
    }
    return {
      changes,
      refusedChanges: churn.counts.refused,
      longestDoubtMs: this.#doubt.longestMs,
      locksGoneMs,
    };
  }

  async #locksGone(stoppedMs: number): Promise<number | null> {
    for (;;) {
      const found = await Promise.all(this.#cluster.members.map((member) => unfinishedOf(member)));
      const afterMs = performance.now() - stoppedMs;
      const isOver = found.every(
        (its) => its !== null && its.prepared === 0 && its.waiting === 0 && its.draining === 0,
      );
      if (isOver) return afterMs;
      if (afterMs > backMsMax * this.#plan.patience) {
        this.#say(`left behind: ${JSON.stringify(found)}`);
        return null;
      }
      await pause(50);
    }
  }

  get #channels(): readonly RpcChannel[] {
    return this.#cluster.members.map(({ channel }) => channel);
  }

  #say(line: string): void {
    this.#plan.onProgress?.(line);
  }

  async #everybodyAnswers(): Promise<void> {
    await Promise.all(this.#cluster.members.map((member) => this.#answers(member)));
  }

  async #answers({ index, channel }: MemberProcess): Promise<void> {
    const { patience } = this.#plan;
    const end = performance.now() + backMsMax * patience;
    while (performance.now() < end) {
      this.#asked += 1;
      const request = onEveryShard(index, `${index}.${this.#asked}`);
      if (
        (await record(this.#history, ownNumber + index, channel, request, inDoubtMsMax * patience)) !== null
      )
        return;
      await pause(20);
    }
    const left = await Promise.all(this.#cluster.members.map((member) => unfinishedOf(member)));
    const text = left.map((its, at) => `n${at + 1} ${JSON.stringify(its)}`).join('\n');
    throw new Error(`n${index + 1} answered no transaction within ${backMsMax * patience} ms:\n${text}`);
  }

  async #judge(
    traffic: TransactionTraffic,
    shards: ShardFigures | null,
    seen: readonly SeenShards[],
  ): Promise<TransactionReport> {
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
      workloads: workloads.map((workload) => {
        const own = traffic.callsOf(workload);
        return {
          name: workload.name,
          operations: own.length,
          unknown: own.filter(({ outcome }) => outcome.type === 'unknown').length,
          acrossShards: countAcrossShards(own, seen),
        };
      }),
      faults: this.#faults.counts,
      revision: last.revision,
      answersMs: this.#answersMs,
      shards,
    };
  }
}

/**
 * Writes keys of the member's own, over the whole key space: a range of all keys would meet a lock of some client's
 * somewhere, time and again, and say nothing of the fault.
 */
function onEveryShard(index: number, value: string): EtcdRequest {
  const success = spreadKeys(26, `last/${index}/`).map((key) => put(key, value));
  return { type: 'txn', compare: [], success, failure: [] };
}

/** Keeps a history that somebody has to look at; answers where. */
export function keepHistory(history: readonly EtcdCall[]): string {
  const file = join(tmpdir(), `flotilla-transactions-${process.pid}.ndjson`);
  writeFileSync(file, writeHistory(history));
  return file;
}
