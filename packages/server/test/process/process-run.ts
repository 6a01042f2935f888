import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkLinearizability,
  checkRevisions,
  checkWatches,
  describeVerdict,
  etcdKeyModel,
  perKeyCalls,
  put,
  type EtcdCall,
  type Verdict,
  type WatchRecord,
  writeHistory,
} from '@flotilla/check';
import { launcher } from '../support/command.ts';
import { machineTime } from '../../../raft/test/process/machine-time.ts';
import { ProcessCluster, pause, type MemberProcess } from './process-cluster.ts';
import { Traffic, newHistory, readEverything, record, type EtcdHistory } from './traffic.ts';
import { Watcher, watchEverything, writtenOrder } from './watching.ts';

export interface ProcessPlan {
  readonly clients: number;
  readonly seed: number;
  /** The leader is killed with −9 so many times, and started again once the others serve. */
  readonly leaderKills: number;
  /** All members are killed with −9 at once, so many times. */
  readonly fullKills: number;
  /** A member, every other time the leader, stops for {@link pauseMs} so many times. */
  readonly pauses: number;
  /** The clients go on until so many of their requests have been answered. */
  readonly answeredMin?: number;
  /**
   * The launcher of another build: the cluster starts with it, is moved to the present build member by member, and back
   * again, before the other faults.
   */
  readonly upgradeFrom?: string;
  readonly onProgress?: (line: string) => void;
}

export interface ProcessReport {
  /** What each checker says; all must be `ok`. */
  readonly verdicts: Readonly<Record<'revisions' | 'linearizability' | 'watches', Verdict>>;
  readonly history: readonly EtcdCall[];
  readonly calls: { readonly answered: number; readonly failed: number; readonly unknown: number };
  /** The last revision that was written. */
  readonly revision: number;
  readonly watchedEvents: number;
  /** From the fault until every member that runs has acknowledged a new write, in milliseconds. */
  readonly leaderKillMs: readonly number[];
  readonly fullKillMs: readonly number[];
  /** As above, for pauses of the leader: until the others serve. */
  readonly leaderPauseMs: readonly number[];
}

export const pauseMs = 5_000;
/** Between two faults. */
const calmMs = 700;
/** Service that is not back after this long will not come back. */
const backMsMax = 60_000;

/** Runs real members under traffic and faults, then compares everything that was answered. */
export async function runProcesses(plan: ProcessPlan): Promise<ProcessReport> {
  const cluster = await ProcessCluster.start(
    plan.upgradeFrom === undefined ? {} : { build: plan.upgradeFrom },
  );
  try {
    return await new ProcessRun(cluster, plan).run();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${cluster.logs()}`, {
      cause: error,
    });
  } finally {
    await cluster.remove();
  }
}

class ProcessRun {
  readonly #cluster: ProcessCluster;
  readonly #plan: ProcessPlan;
  readonly #history: EtcdHistory = newHistory();
  readonly #leaderKillMs: number[] = [];
  readonly #fullKillMs: number[] = [];
  readonly #leaderPauseMs: number[] = [];
  /** The test's own clients have numbers of their own. */
  #client = 1_000;

  constructor(cluster: ProcessCluster, plan: ProcessPlan) {
    this.#cluster = cluster;
    this.#plan = plan;
  }

  async run(): Promise<ProcessReport> {
    const { leaderKills, fullKills, pauses, clients, seed } = this.#plan;
    const endpoints = this.#cluster.members.map(({ endpoint }) => endpoint);
    await this.#servedBy(this.#cluster.members);
    const traffic = new Traffic(this.#history, endpoints, clients, seed);
    const watchers = ['k/', 't/'].map(
      (prefix, index) =>
        new Watcher(`watcher of ${prefix}`, prefix, [...endpoints.slice(index), ...endpoints]),
    );
    if (this.#plan.upgradeFrom !== undefined) {
      await this.#moveTo(launcher, 'the present build');
      await this.#moveTo(this.#plan.upgradeFrom, 'the former build');
    }
    for (let index = 0; index < leaderKills; index += 1) await this.#killLeader(index);
    for (let index = 0; index < fullKills; index += 1) await this.#killAll(index);
    for (let index = 0; index < pauses; index += 1) await this.#pauseOne(index);
    await pause(calmMs);
    await traffic.reached(this.#plan.answeredMin ?? 0);
    await traffic.stop();
    for (const watcher of watchers) await watcher.stop();
    return await this.#judge(watchers.flatMap((watcher) => watcher.records));
  }

  /** One member after the other, as an operator would; every other one is killed, as an operator's machine would do. */
  async #moveTo(build: string, name: string): Promise<void> {
    for (const member of this.#cluster.members) {
      await pause(calmMs);
      if (member.index % 2 === 0) await member.process.stop('SIGTERM');
      else await this.#cluster.kill(member);
      member.launcher = build;
      await this.#cluster.restart(member);
      await this.#servedBy([member]);
      this.#say(`n${member.index + 1} runs ${name}`);
    }
    await pause(calmMs);
    await this.#servedBy(this.#cluster.members);
  }

  async #killLeader(index: number): Promise<void> {
    await pause(calmMs);
    const leader = await this.#cluster.leader(backMsMax);
    const start = performance.now();
    await this.#cluster.kill(leader);
    const backMs = await this.#backAfter(start, this.#others(leader));
    this.#leaderKillMs.push(backMs);
    this.#say(`leader kill ${index + 1}: n${leader.index + 1}, service back after ${backMs.toFixed(0)} ms`);
    await this.#cluster.restart(leader);
    await this.#servedBy([leader]);
  }

  async #killAll(index: number): Promise<void> {
    await pause(calmMs);
    const start = performance.now();
    await Promise.all(this.#cluster.members.map((member) => this.#cluster.kill(member)));
    await Promise.all(this.#cluster.members.map((member) => this.#cluster.restart(member)));
    const backMs = await this.#backAfter(start, this.#cluster.members);
    this.#fullKillMs.push(backMs);
    this.#say(`full kill ${index + 1}: service back after ${backMs.toFixed(0)} ms`);
  }

  async #pauseOne(index: number): Promise<void> {
    await pause(calmMs);
    const leader = await this.#cluster.leader(backMsMax);
    const isLeader = index % 2 === 0;
    const member = isLeader ? leader : this.#others(leader)[index % 4 === 1 ? 0 : 1]!;
    const start = performance.now();
    this.#cluster.freeze(member);
    try {
      const backMs = await this.#backAfter(start, this.#others(member));
      if (isLeader) this.#leaderPauseMs.push(backMs);
      const who = `${isLeader ? 'leader' : 'follower'} n${member.index + 1}`;
      this.#say(`pause ${index + 1}: ${who}, the others serve after ${backMs.toFixed(0)} ms`);
      await pause(Math.max(0, pauseMs - (performance.now() - start)));
    } finally {
      this.#cluster.thaw(member);
    }
    await this.#servedBy([member]);
  }

  #others(member: MemberProcess): MemberProcess[] {
    return this.#cluster.members.filter((other) => other !== member);
  }

  async #backAfter(start: number, members: readonly MemberProcess[]): Promise<number> {
    await this.#servedBy(members);
    return performance.now() - start;
  }

  /** Resolves when each of `members` has acknowledged a write that began after the call. */
  async #servedBy(members: readonly MemberProcess[]): Promise<void> {
    await Promise.all(members.map((member) => this.#writeThrough(member)));
  }

  async #writeThrough(member: MemberProcess): Promise<void> {
    const client = (this.#client += 1);
    const end = machineTime() + backMsMax;
    for (let attempt = 0; machineTime() < end; attempt += 1) {
      const request = put(`probe/${member.index}`, `${client}.${attempt}`);
      if ((await record(this.#history, client, member.channel, request, 2_000)) !== null) return;
      await pause(20);
    }
    throw new Error(`n${member.index + 1} acknowledged no write within ${backMsMax} ms`);
  }

  async #judge(watched: readonly WatchRecord[]): Promise<ProcessReport> {
    const [first] = this.#cluster.members;
    const revision = await readEverything(this.#history, first!.channel);
    // Each member tells the whole history, so that a member that has another one shows.
    const whole = await Promise.all(
      this.#cluster.members.map(({ index, channel }) =>
        watchEverything(`history of n${index + 1}`, channel, revision),
      ),
    );
    return {
      verdicts: judge(this.#history.calls, whole, watched),
      history: this.#history.calls,
      calls: countOutcomes(this.#history.calls),
      revision,
      watchedEvents: watched.flatMap(({ responses }) => responses.flatMap(({ events }) => events)).length,
      leaderKillMs: this.#leaderKillMs,
      fullKillMs: this.#fullKillMs,
      leaderPauseMs: this.#leaderPauseMs,
    };
  }

  #say(line: string): void {
    this.#plan.onProgress?.(line);
  }
}

/**
 * What the checkers say of a history. `whole` are watches of everything from revision 1: the first gives the order of
 * writes that the answers must agree with, the others must have seen the same.
 */
export function judge(
  calls: readonly EtcdCall[],
  whole: readonly WatchRecord[],
  watched: readonly WatchRecord[],
): ProcessReport['verdicts'] {
  const [first] = whole;
  if (first === undefined) throw new Error('nobody has watched from the beginning');
  const { verdict, revisions } = checkRevisions(calls, { persisted: writtenOrder(first) });
  return {
    revisions: verdict,
    linearizability: checkLinearizability(etcdKeyModel, perKeyCalls(calls)).verdict,
    watches: checkWatches([...whole, ...watched], revisions),
  };
}

function countOutcomes(calls: readonly EtcdCall[]): ProcessReport['calls'] {
  const count = (type: 'returned' | 'failed' | 'unknown'): number =>
    calls.filter(({ outcome }) => outcome.type === type).length;
  return { answered: count('returned'), failed: count('failed'), unknown: count('unknown') };
}

/** The figures of a run, and every violation in words. */
export function describeReport(report: ProcessReport): string {
  const { calls, verdicts } = report;
  return [
    `${calls.answered} calls answered, ${calls.failed} refused, ${calls.unknown} of unknown outcome; ` +
      `${report.revision} revisions, ${report.watchedEvents} events watched during the faults`,
    `service back after a leader was killed: ${figures(report.leaderKillMs)}`,
    `service back after all were killed: ${figures(report.fullKillMs)}`,
    `the others serve after the leader was stopped: ${figures(report.leaderPauseMs)}`,
    ...Object.entries(verdicts).map(([name, verdict]) => `${name}: ${describeVerdict(verdict)}`),
  ].join('\n');
}

/** Whether every checker is content. If not, the history is kept in a file, whose name is printed. */
export function isClean(report: ProcessReport): boolean {
  const clean = Object.values(report.verdicts).every((verdict) => verdict.outcome === 'ok');
  if (!clean) {
    const file = join(tmpdir(), `flotilla-history-${process.pid}.ndjson`);
    writeFileSync(file, writeHistory(report.history));
    console.log(`the history is in ${file}`);
  }
  return clean;
}

function figures(samples: readonly number[]): string {
  if (samples.length === 0) return 'not tried';
  return `median ${median(samples).toFixed(0)} ms, worst ${Math.max(...samples).toFixed(0)} ms, ${samples.length} times`;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
