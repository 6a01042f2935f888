import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Group } from '@flotilla/raft';
import { MemoryCluster, pause } from './memory-cluster.ts';
import { median } from './report.ts';

export interface IdleGroups {
  readonly groups: number;
  readonly replicas: 3;
  readonly rounds: number;
  readonly secondsPerRound: number;
  /** Of heap and array buffers after a collection, but for what the memory disks hold, over three members. */
  readonly bytesPerGroup: number;
  readonly bytesPerReplica: number;
  /** While nothing happens but heartbeats between members: of one core, for all three. */
  readonly cpuPercent: number;
  readonly secondsToOpen: number;
  /** What the members said to each other in one second of it, and how often a group was ticked. */
  readonly messagesPerSecond: number;
  readonly bytesPerSecond: number;
  readonly ticksPerSecond: number;
}

/** Groups that have a leader, one committed entry at each replica, and nothing to do. */
export async function idleGroups(settings: {
  readonly groups: number;
  readonly rounds: number;
  readonly seconds: number;
}): Promise<IdleGroups> {
  const { rounds, seconds } = settings;
  const cluster = await MemoryCluster.start({});
  await pause(500);
  const before = usedBytes(cluster);
  const begin = performance.now();
  const groups: (readonly Group<number>[])[] = [];
  while (groups.length < settings.groups) groups.push(...(await openSome(cluster, groups.length)));
  const secondsToOpen = (performance.now() - begin) / 1000;
  // Until after the sweep of deadlines, the mark of the log, and the elections that were on their way.
  await pause(2_000);
  const cpu: number[] = [];
  const counts = [cluster.total('messagesSent'), cluster.total('bytesSent'), cluster.total('ticks')];
  const idleBegin = performance.now();
  for (let round = 0; round < rounds; round += 1) cpu.push(await cpuPercent(seconds * 1000));
  const idleSeconds = (performance.now() - idleBegin) / 1000;
  const [messages, sent, ticks] = [
    cluster.total('messagesSent'),
    cluster.total('bytesSent'),
    cluster.total('ticks'),
  ].map((count, i) => (count - (counts[i] ?? 0)) / idleSeconds);
  // Last, because a collection stops the process for so long that its members may take each other for dead.
  const bytes = usedBytes(cluster) - before;
  await cluster.close();
  return {
    groups: settings.groups,
    replicas: 3,
    rounds,
    secondsPerRound: seconds,
    bytesPerGroup: bytes / settings.groups,
    bytesPerReplica: bytes / settings.groups / 3,
    cpuPercent: median(cpu),
    secondsToOpen,
    messagesPerSecond: messages ?? NaN,
    bytesPerSecond: sent ?? NaN,
    ticksPerSecond: ticks ?? NaN,
  };
}

/** A hundred at a time, so that their elections do not overload this one process; members take turns in leading. */
async function openSome(
  cluster: MemoryCluster,
  from: number,
): Promise<readonly (readonly Group<number>[])[]> {
  const groups: (readonly Group<number>[])[] = [];
  for (let id = from; id < from + 100; id += 1) {
    const replicas = await cluster.open(id);
    replicas[id % replicas.length]?.campaign();
    groups.push(replicas);
  }
  const payload = new Uint8Array(16).fill(7);
  await Promise.all(
    groups.flatMap(([first]) => (first === undefined ? [] : [first.propose(payload, { timeoutMs: 60_000 })])),
  );
  while (!groups.every(isSettled)) await pause(5);
  return groups;
}

function isSettled(replicas: readonly Group<number>[]): boolean {
  const leader = replicas[0]?.status().leader ?? 0;
  const commit = replicas[0]?.status().commit ?? 0;
  return (
    leader !== 0 &&
    replicas.every((replica) => {
      const status = replica.status();
      return status.leader === leader && status.applied === commit && status.commit === commit;
    })
  );
}

async function cpuPercent(ms: number): Promise<number> {
  const begin = performance.now();
  const cpu = process.cpuUsage();
  await pause(ms);
  const used = process.cpuUsage(cpu);
  return (used.user + used.system) / 10 / (performance.now() - begin);
}

function usedBytes(cluster: MemoryCluster): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers - cluster.world.diskBytes;
}
