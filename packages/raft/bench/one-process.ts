import { closedLoop, openLoop } from './load.ts';
import type { ClosedLoop, OpenLoop } from './load.ts';
import { leaderOf, MemoryCluster } from './memory-cluster.ts';
import { median } from './report.ts';

export interface OneProcess {
  readonly replicas: 3;
  readonly inFlight: number;
  readonly payloadBytes: number;
  readonly rounds: number;
  readonly secondsPerRound: number;
  readonly entriesPerSecond: number;
  /** Of all three members together: what matters on a machine that others use too. */
  readonly cpuMicrosPerEntry: number;
  readonly entriesPerSecondOfCpu: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly entriesPerAppend: number;
  readonly messagesPerFrame: number;
  readonly atHalfTheRate: OpenLoop;
  readonly everyRound: readonly { readonly entriesPerSecond: number; readonly cpuMicrosPerEntry: number }[];
}

/** Three replicas in this process, on memory disks. */
export async function oneProcess(settings: {
  readonly rounds: number;
  readonly seconds: number;
  readonly inFlight: number;
  readonly payloadBytes: number;
}): Promise<OneProcess> {
  const { rounds, seconds, inFlight, payloadBytes } = settings;
  const payload = new Uint8Array(payloadBytes).fill(7);
  const cluster = await MemoryCluster.start({});
  const groups = await cluster.open(0);
  const leader = await leaderOf(groups);
  const closed: ClosedLoop[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const warmUpMs = round === 0 ? 1000 : 100;
    closed.push(await closedLoop(leader, { inFlight, payload, warmUpMs, ms: seconds * 1000 }));
  }
  const entriesPerAppend = cluster.total('entriesAppended') / cluster.total('logAppends');
  const messagesPerFrame = cluster.total('messagesSent') / cluster.total('framesSent');
  const rates = closed.map((round) => round.entries / round.seconds);
  const perSecond = Math.floor(median(rates) / 2);
  const open: OpenLoop[] = [];
  for (let round = 0; round < rounds; round += 1) {
    open.push(await openLoop(leader, { perSecond, payload, ms: seconds * 1000 }));
  }
  await cluster.close();
  const cpuMicrosPerEntry = median(closed.map((round) => (round.cpuSeconds * 1e6) / round.entries));
  return {
    replicas: 3,
    inFlight,
    payloadBytes,
    rounds,
    secondsPerRound: seconds,
    entriesPerSecond: median(rates),
    cpuMicrosPerEntry,
    entriesPerSecondOfCpu: 1e6 / cpuMicrosPerEntry,
    p50Ms: median(closed.map((round) => round.p50Ms)),
    p99Ms: median(closed.map((round) => round.p99Ms)),
    entriesPerAppend,
    messagesPerFrame,
    atHalfTheRate: {
      perSecond: median(open.map((round) => round.perSecond)),
      p50Ms: median(open.map((round) => round.p50Ms)),
      p99Ms: median(open.map((round) => round.p99Ms)),
    },
    everyRound: closed.map((round) => ({
      entriesPerSecond: round.entries / round.seconds,
      cpuMicrosPerEntry: (round.cpuSeconds * 1e6) / round.entries,
    })),
  };
}
