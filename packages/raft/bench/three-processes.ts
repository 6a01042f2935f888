import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer, MemberOptions, Order } from './member-process.ts';
import { pause } from './memory-cluster.ts';
import { median } from './report.ts';

export interface ThreeProcesses {
  readonly replicas: 3;
  readonly payloadBytes: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly windows: readonly WindowResult[];
}

/** One window: how many proposals are on the way at once, and how many entries the disk's writers put in a group. */
export interface WindowResult {
  readonly inFlight: number;
  readonly entriesPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all three processes together. */
  readonly cpuMicrosPerEntry: number;
  readonly entriesPerSync: number;
  /** Of the middle one of three writers, each of which writes and syncs groups of `inFlight` entries, at once. */
  readonly diskEntriesPerSecond: number;
  readonly diskSyncsPerSecond: number;
  /** Median over the rounds of the one over the other. */
  readonly partOfDisk: number;
}

/** Three replicas in a process each, over TCP on this machine, on real files with real syncs. */
export async function threeProcesses(settings: {
  readonly rounds: number;
  readonly seconds: number;
  readonly windows: readonly number[];
  readonly payloadBytes: number;
  readonly directory: string;
}): Promise<ThreeProcesses> {
  const { rounds, seconds, payloadBytes } = settings;
  const directory = mkdtempSync(join(settings.directory, 'raft-bench-'));
  const members: Member[] = [];
  try {
    const ports = await freePorts(3);
    for (const nodeId of [1, 2, 3]) {
      const own = join(directory, `${nodeId}`);
      mkdirSync(own);
      members.push(new Member({ nodeId, directory: own, ports }));
    }
    await Promise.all(members.map((member) => member.ready));
    const windows: WindowResult[] = [];
    for (const inFlight of settings.windows) {
      const measured: Round[] = [];
      for (let round = 0; round < rounds; round += 1) {
        measured.push(await measure(members, { inFlight, payloadBytes, ms: seconds * 1000 }));
      }
      windows.push(summary(inFlight, measured));
    }
    return { replicas: 3, payloadBytes, rounds, secondsPerRound: seconds, windows };
  } finally {
    await Promise.all(members.map((member) => member.stop()));
    rmSync(directory, { recursive: true, force: true });
  }
}

type Round = Omit<WindowResult, 'inFlight'>;

/** The replicas, and right after them the bare disk, so that both meet the same machine. */
async function measure(
  members: readonly Member[],
  load: { readonly inFlight: number; readonly payloadBytes: number; readonly ms: number },
): Promise<Round> {
  const leader = await leaderAmong(members);
  await leader.ask({ type: 'propose', ...load, warmUpMs: 0, ms: 300 });
  const before = await Promise.all(members.map((member) => member.ask({ type: 'usage' })));
  const proposed = await leader.ask({ type: 'propose', ...load, warmUpMs: 0 });
  const after = await Promise.all(members.map((member) => member.ask({ type: 'usage' })));
  const used = after.map((now, i) => difference(now, before[i]));
  const all = used.reduce((sum, one) => ({
    cpuSeconds: sum.cpuSeconds + one.cpuSeconds,
    logBytes: sum.logBytes + one.logBytes,
    logEntries: sum.logEntries + one.logEntries,
    logSyncs: sum.logSyncs + one.logSyncs,
  }));
  const groupBytes = Math.ceil((all.logBytes / all.logEntries) * load.inFlight);
  const written = await Promise.all(
    members.map((member) => member.ask({ type: 'write', groupBytes, ms: load.ms })),
  );
  const syncs = median(written.map(({ groups, seconds }) => groups / seconds));
  const entriesPerSecond = proposed.entries / proposed.seconds;
  return {
    entriesPerSecond,
    p50Ms: proposed.p50Ms,
    p99Ms: proposed.p99Ms,
    cpuMicrosPerEntry: (all.cpuSeconds * 1e6) / (all.logEntries / members.length),
    entriesPerSync: all.logEntries / all.logSyncs,
    diskEntriesPerSecond: syncs * load.inFlight,
    diskSyncsPerSecond: syncs,
    partOfDisk: entriesPerSecond / (syncs * load.inFlight),
  };
}

function summary(inFlight: number, rounds: readonly Round[]): WindowResult {
  const of = (figure: keyof Round): number => median(rounds.map((round) => round[figure]));
  return {
    inFlight,
    entriesPerSecond: of('entriesPerSecond'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
    cpuMicrosPerEntry: of('cpuMicrosPerEntry'),
    entriesPerSync: of('entriesPerSync'),
    diskEntriesPerSecond: of('diskEntriesPerSecond'),
    diskSyncsPerSecond: of('diskSyncsPerSecond'),
    partOfDisk: of('partOfDisk'),
  };
}

type Usage = Omit<Extract<Answer, { type: 'usage' }>, 'type'>;

function difference(now: Usage, before: Usage | undefined): Usage {
  return {
    cpuSeconds: now.cpuSeconds - (before?.cpuSeconds ?? 0),
    logBytes: now.logBytes - (before?.logBytes ?? 0),
    logEntries: now.logEntries - (before?.logEntries ?? 0),
    logSyncs: now.logSyncs - (before?.logSyncs ?? 0),
  };
}

async function leaderAmong(members: readonly Member[]): Promise<Member> {
  for (;;) {
    const roles = await Promise.all(members.map((member) => member.ask({ type: 'role' })));
    const at = roles.findIndex((role) => role.leads);
    const leader = members[at];
    if (leader !== undefined && roles.every((role) => role.leaderKnown)) return leader;
    await pause(50);
  }
}

/** A child process, asked one thing at a time. */
class Member {
  readonly ready: Promise<void>;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;
  #failed: (error: Error) => void = () => undefined;
  #stopping = false;

  constructor(options: MemberOptions) {
    const path = fileURLToPath(new URL('member-process.ts', import.meta.url));
    this.#process = fork(path, [JSON.stringify(options)]);
    this.ready = new Promise((resolve, reject) => {
      this.#process.once('message', () => resolve());
      this.#failed = reject;
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('exit', (code) => {
        if (!this.#stopping) this.#failed(new Error(`member ${options.nodeId} ended with code ${code}`));
        resolve();
      });
    });
  }

  ask<Type extends Order['type']>(
    order: Extract<Order, { type: Type }>,
  ): Promise<Extract<Answer, { type: Type }>> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.#process.once('message', (answer) => resolve(answer as Extract<Answer, { type: Type }>));
      this.#process.send(order);
    });
  }

  stop(): Promise<void> {
    this.#stopping = true;
    if (this.#process.connected) this.#process.disconnect();
    return this.#ended;
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer();
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
