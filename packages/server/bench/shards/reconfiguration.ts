import { type Shard, ShardReplicaRole, Shards } from '@flotilla/wire';
import { CpuClock } from '../../src/cli/bench/cpu.ts';
import { aimed, median, milliseconds, table, times } from './figures.ts';
import { MachineStops } from './machine-stops.ts';
import { fillPlaces } from './measure.ts';
import type { PartSettings } from './part-settings.ts';
import { keyIn, pause, ShardCluster } from './shard-cluster.ts';
import { keysOfPlace } from './shard-workloads.ts';
import { type Latencies, latenciesOf, SteadyLoad } from './steady-load.ts';

const SHARDS = 16;
const every = Array.from({ length: SHARDS }, (_, place) => place);
/** Whose keys are split, merged and moved. */
const PLACE = 5;
/** Of the rate in the shard that is changed, in each other one. */
const SHARE_OF_OTHERS = 0.1;
/** Members that have just started run code that nobody has compiled yet. */
const WARM_UP_MS = 20_000;
const BEFORE_MS = 5_000;
/** What an operation has begun may go on for a moment. */
const AFTER_MS = 500;
const ATTEMPTS = 10;
const PAUSE_AIM_MS = 100;
const MOVE_AIM = 2;

interface Operation {
  readonly name: string;
  run(cluster: ShardCluster): Promise<unknown>;
}

const operations: readonly Operation[] = [
  {
    name: 'split',
    run: async (cluster) => {
      const { shard } = await cluster.shardOf(PLACE);
      const key = keyIn(PLACE, keysOfPlace / 2);
      await cluster.follow(Shards.methods.Split, { shard, key, configuration: 0 });
    },
  },
  {
    name: 'merge',
    run: async (cluster) => {
      const { shard: into, end } = await cluster.shardOf(PLACE);
      const child = (await cluster.list()).find(({ start }) => Buffer.compare(start, end) === 0) as Shard;
      await cluster.follow(Shards.methods.Merge, { shard: child.shard, into, configuration: 0 });
    },
  },
  { name: 'move of a follower', run: (cluster) => move(cluster, (shard, node) => node !== shard.leader) },
  { name: 'move of the leader', run: (cluster) => move(cluster, (shard, node) => node === shard.leader) },
];

async function move(cluster: ShardCluster, goes: (shard: Shard, node: number) => boolean): Promise<void> {
  const shard = await settledShard(cluster);
  const voters = shard.replicas.map(({ node }) => node);
  const from = voters.find((node) => goes(shard, node));
  const to = (await cluster.nodes()).map(({ node }) => node).find((node) => !voters.includes(node));
  if (from === undefined || to === undefined)
    throw new Error('a shard has a replica to go, and a place for it');
  await cluster.follow(Shards.methods.MoveReplica, { shard: shard.shard, from, to, configuration: 0 });
}

/** What was tried before may still be on its way. */
async function settledShard(cluster: ShardCluster): Promise<Shard> {
  for (;;) {
    const shard = await cluster.shardOf(PLACE);
    const isAtRest = shard.replicas.every(({ role, leaving }) => role === ShardReplicaRole.VOTER && !leaving);
    if (isAtRest && shard.leader !== 0) return shard;
    await pause(100);
  }
}

interface Sample {
  readonly operation: Operation;
  readonly tookMs: number;
  readonly its: { readonly before: Latencies; readonly during: Latencies };
  readonly others: { readonly before: Latencies; readonly during: Latencies };
  readonly failures: number;
  /** The longest time for which this process itself did not run. */
  readonly stopMs: number;
}

interface Observed {
  readonly cluster: ShardCluster;
  readonly load: SteadyLoad;
  readonly stops: MachineStops;
}

/** What clients notice of operations on one shard, those of its keys and those of others. */
export async function reconfiguration({ directory, basePort, rounds, rate }: PartSettings): Promise<string> {
  const plan = { name: 'reconfiguration', nodes: 5, shards: SHARDS, directory, basePort };
  const cluster = await ShardCluster.start(plan);
  try {
    await fillPlaces(cluster, [PLACE]);
    const load = new SteadyLoad({
      endpoints: cluster.endpoints,
      places: every,
      rates: (place) => ({ put: place === PLACE ? rate : SHARE_OF_OTHERS * rate, range: 0 }),
    });
    const samples: Sample[] = [];
    const stops = new MachineStops();
    await pause(WARM_UP_MS);
    const cpu = new CpuClock(cluster.pids);
    const putsBefore = load.probes.length;
    for (let round = 1; round <= rounds; round += 1) {
      for (const operation of operations) samples.push(await observed({ cluster, load, stops }, operation));
      process.stderr.write(`reconfiguration: round ${round} of ${rounds}\n`);
    }
    const cpuUs = (cpu.elapsed().server ?? 0) / (load.probes.length - putsBefore);
    stops.end();
    await load.stop();
    return report(samples, rounds, rate, cpuUs);
  } finally {
    await cluster.stop();
  }
}

/** As an operator would, who is told why and tries again. */
async function observed(all: Observed, operation: Operation): Promise<Sample> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await observedOnce(all, operation);
    } catch (error) {
      process.stderr.write(`reconfiguration: ${operation.name}: ${String(error)}\n`);
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function observedOnce({ cluster, load, stops }: Observed, operation: Operation): Promise<Sample> {
  const beforeMs = performance.now();
  await pause(BEFORE_MS);
  const begunMs = performance.now();
  await operation.run(cluster);
  const endedMs = performance.now();
  await pause(AFTER_MS);
  const untilMs = performance.now();
  // Until the last of them has its answer.
  await pause(2_000);
  const its = (place: number): boolean => place === PLACE;
  const others = (place: number): boolean => place !== PLACE;
  const both = (places: (place: number) => boolean): Sample['its'] => ({
    before: latenciesOf(load.latencies(places, beforeMs, begunMs)),
    during: latenciesOf(load.latencies(places, begunMs, untilMs)),
  });
  return {
    operation,
    tookMs: endedMs - begunMs,
    its: both(its),
    others: both(others),
    failures: load.failures(beforeMs, untilMs),
    stopMs: stops.longest(begunMs, untilMs),
  };
}

function report(samples: readonly Sample[], rounds: number, rate: number, cpuUs: number): string {
  const rows = operations.map((operation) => {
    const own = samples.filter((sample) => sample.operation === operation);
    const of = (figure: (sample: Sample) => number): number => median(own.map(figure));
    const longest = of(({ its }) => its.during.max);
    const ratio = of(({ its }) => its.during.p99 / its.before.p99);
    const othersRatio = of(({ others }) => others.during.p99 / others.before.p99);
    const isMove = operation.name.startsWith('move');
    const isSplit = operation.name === 'split';
    return [
      operation.name,
      milliseconds(of(({ tookMs }) => tookMs)),
      `${milliseconds(of(({ its }) => its.before.p50))} / ${milliseconds(of(({ its }) => its.before.p99))} / ${milliseconds(of(({ its }) => its.before.max))}`,
      `${milliseconds(of(({ its }) => its.during.p50))} / ${milliseconds(of(({ its }) => its.during.p99))}`,
      isSplit ? aimed(milliseconds(longest), longest <= PAUSE_AIM_MS) : milliseconds(longest),
      isMove ? aimed(times(ratio), ratio <= MOVE_AIM) : times(ratio),
      `${milliseconds(of(({ others }) => others.before.p99))} / ${milliseconds(of(({ others }) => others.during.p99))}`,
      times(othersRatio),
      String(own.reduce((sum, { failures }) => sum + failures, 0)),
      milliseconds(of(({ stopMs }) => stopMs)),
    ];
  });
  const head = [
    'operation',
    'took ms',
    'its keys before: p50 / p99 / longest ms',
    'during: p50 / p99 ms',
    `longest put, ms (aim of a split ${PAUSE_AIM_MS})`,
    `p99 during / before (aim of a move ${MOVE_AIM})`,
    'others: p99 before / during ms',
    'ratio',
    'failed',
    'longest stop of the machine meanwhile, ms',
  ];
  return [
    `Five members, ${SHARDS} shards; ${rate} puts a second in the shard that is changed, ${SHARE_OF_OTHERS * rate} in each other one, each when it is due, to all members in turn; medians of ${rounds} rounds. "During" is from the request of the operation until ${AFTER_MS} ms after its end; "before" the ${BEFORE_MS / 1_000} s that went before. All members together used ${(cpuUs / 1_000).toFixed(2)} ms of processor time for a put, everything included.`,
    '',
    table(head, rows),
  ].join('\n');
}
