import { cpus } from 'node:os';
import { aimed, median, milliseconds, table, thousands, times } from './figures.ts';
import { type CostConstants, countersOf, fitConstants, type Work, workBetween } from './cost-constants.ts';
import { type CostPlan, type CostResult, CostSimulation } from './cost-simulation.ts';
import { measureOnce } from './measure.ts';
import type { PartSettings } from './part-settings.ts';
import { pause, ShardCluster } from './shard-cluster.ts';
import { put } from './shard-workloads.ts';

const MEMBERS = 3;
const CLIENTS = 64;
/** Of each shard that has nodes of its own: as many as keep these busy. */
const CLIENTS_APART = 128;
const IDLE_MS = 3_000;
const GROWTH_AIM = 0.8;
const ERROR_AIM = 0.25;
const SHARD_COUNTS = [1, 2, 4, 8];

interface Load {
  readonly name: string;
  /** Places whose keys are written: shard 0, or those that have a log of their own. */
  readonly places: readonly number[];
  readonly clients: number;
}

/** Those that are predicted come first; the others are there so that the constants can be told apart. */
const loads: readonly Load[] = [
  { name: 'one shard', places: [1], clients: CLIENTS },
  { name: 'two shards', places: [1, 2], clients: CLIENTS },
  { name: 'shard 0 alone, one round', places: [0], clients: CLIENTS },
  { name: 'one shard, few clients', places: [1], clients: 4 },
  { name: 'two shards, few clients', places: [1, 2], clients: 4 },
  { name: 'shard 0, few clients', places: [0], clients: 4 },
  { name: 'two shards, many clients', places: [1, 2], clients: 128 },
];

interface Measured {
  readonly load: Load;
  readonly writesPerSecond: number;
  readonly p50: number;
  readonly requests: number;
  readonly clientUs: number;
  /** Of the processors, what others have left: what members and load generator used, and what nobody did. */
  readonly share: number;
  readonly work: readonly Work[];
}

/** What writes would cost on other machines than this one, from what they cost here. */
export async function costModel({ directory, basePort, rounds, seconds }: PartSettings): Promise<string> {
  const plan = { name: 'cost-model', nodes: MEMBERS, shards: 3, directory, basePort };
  const cluster = await ShardCluster.start(plan);
  const measured: Measured[] = [];
  try {
    const idleUs = await idleUsPerSecond(cluster);
    for (const load of loads) await measure(cluster, load, seconds);
    for (let round = 1; round <= rounds; round += 1) {
      const inTurn = round % 2 === 1 ? loads : [...loads].reverse();
      for (const load of inTurn) measured.push(await measure(cluster, load, seconds));
      process.stderr.write(`cost-model: round ${round} of ${rounds}\n`);
    }
    const led = await leaders(cluster);
    const clientUs = median(measured.map((one) => one.clientUs));
    const constants = fitConstants(
      measured.flatMap(({ work }) => work),
      idleUs,
      clientUs,
    );
    return report(measured, constants, led, rounds, seconds);
  } finally {
    await cluster.stop();
  }
}

/** Of a member that has nothing to do. */
async function idleUsPerSecond(cluster: ShardCluster): Promise<number> {
  await pause(IDLE_MS);
  const before = await countersOf(cluster);
  await pause(IDLE_MS);
  const after = await countersOf(cluster);
  return median(workBetween(before, after, IDLE_MS / 1_000, 0).map(({ cpuUs, seconds }) => cpuUs / seconds));
}

async function measure(cluster: ShardCluster, load: Load, seconds: number): Promise<Measured> {
  const { places, clients } = load;
  const before = await countersOf(cluster);
  const begun = performance.now();
  const idleBefore = idleMs();
  const sample = await measureOnce(cluster, put(load.name, load.name, places), { clients, seconds });
  const after = await countersOf(cluster);
  const took = (performance.now() - begun) / 1_000;
  const work = workBetween(before, after, took, sample.total);
  const usedUs =
    work.reduce((sum, { cpuUs }) => sum + cpuUs, 0) + sample.clientCpuPerRequestUs * sample.total;
  const leftMs = usedUs / 1_000 + idleMs() - idleBefore;
  return {
    load,
    writesPerSecond: sample.throughput,
    p50: sample.p50,
    requests: sample.total,
    clientUs: sample.clientCpuPerRequestUs,
    share: Math.min(1, leftMs / (took * 1_000 * cpus().length)),
    work,
  };
}

function idleMs(): number {
  return cpus().reduce((sum, { times: { idle } }) => sum + idle, 0);
}

/** A processor that others use as well takes longer for everything. */
function slowed({ idle, syncMs, ...costs }: CostConstants, share: number): CostConstants {
  const { request, message, entry, append, client } = costs;
  const factor = 1 / share;
  return {
    request: request * factor,
    message: message * factor,
    entry: entry * factor,
    append: append * factor,
    client: client * factor,
    idle,
    syncMs,
  };
}

/** Of the places 0, 1 and 2: members by their place, the leader first. */
async function leaders(cluster: ShardCluster): Promise<readonly (readonly number[])[]> {
  const groups: number[][] = [];
  for (let place = 0; place < 3; place += 1) {
    const first = (await cluster.shardOf(place)).leader - 1;
    const all = Array.from({ length: MEMBERS }, (_, member) => member);
    groups.push([first, ...all.filter((member) => member !== first)]);
  }
  return groups;
}

function report(
  measured: readonly Measured[],
  constants: CostConstants,
  groups: readonly (readonly number[])[],
  rounds: number,
  seconds: number,
): string {
  const of = (load: Load, figure: (one: Measured) => number): number =>
    median(measured.filter((one) => one.load === load).map(figure));
  const everybody = Array.from({ length: MEMBERS }, (_, member) => member);
  const predictions = loads.slice(0, 3).map((load) => {
    const share = of(load, (one) => one.share);
    const result = new CostSimulation({
      cores: cpus().length,
      groups,
      members: MEMBERS,
      orderVoters: MEMBERS,
      written: load.places,
      clients: load.clients / load.places.length,
      asked: () => everybody,
      constants: slowed(constants, share),
    }).run();
    const real = of(load, ({ writesPerSecond }) => writesPerSecond);
    return { load, result, real, share, error: result.writesPerSecond / real - 1 };
  });
  const isTrusted = predictions.slice(0, 2).every(({ error }) => Math.abs(error) <= ERROR_AIM);
  const apart = SHARD_COUNTS.map((count) => ({ count, result: onSeparateNodes(count, constants) }));
  return [
    `Constants, from the metrics of ${MEMBERS} members on this machine, ${rounds} interleaved rounds of ${seconds} s of ${loads.length} loads (least squares, none negative); processor time in µs:`,
    '',
    table(
      [
        'request',
        'message, sent or received',
        'entry, appended and applied',
        'write to the log',
        'a second of rest',
        'sync, ms',
        'load generator, request',
      ],
      [
        [
          ...[constants.request, constants.message, constants.entry, constants.append, constants.idle].map(
            (us) => us.toFixed(1),
          ),
          constants.syncMs.toFixed(2),
          constants.client.toFixed(1),
        ],
      ],
      0,
    ),
    '',
    `Predicted for this machine (${cpus().length} cores for all members and the load generator, slower by what others took of them; ${CLIENTS} clients), and measured:`,
    '',
    table(
      [
        'writes to',
        'processors left by others',
        'predicted /s',
        'measured /s',
        'error',
        'p50 predicted, ms',
        'measured',
      ],
      predictions.map(({ load, result, real, share, error }, i) => [
        load.name,
        percent(share),
        thousands(result.writesPerSecond),
        thousands(real),
        i < 2 ? aimed(percent(error), Math.abs(error) <= ERROR_AIM) : percent(error),
        milliseconds(result.p50Ms),
        milliseconds(of(load, ({ p50 }) => p50)),
      ]),
    ),
    '',
    ...(isTrusted
      ? growth(apart, constants)
      : [
          `**The claim about growth is dropped**: the model does not predict what was measured here within ${ERROR_AIM * 100} %.`,
        ]),
    '',
    ...orderCost(measured),
  ].join('\n');
}

/** Three members for the order, which have no other shard, and three for each other one. */
function onSeparateNodes(count: number, constants: CostConstants): CostResult {
  const members = 3 + 3 * count;
  const groups = [
    Array.from({ length: members }, (_, member) => member),
    ...Array.from({ length: count }, (_, shard) => [3 + 3 * shard, 4 + 3 * shard, 5 + 3 * shard]),
  ];
  const plan: CostPlan = {
    cores: 'each',
    groups,
    members,
    orderVoters: Math.min(7, members),
    written: Array.from({ length: count }, (_, shard) => shard + 1),
    clients: CLIENTS_APART,
    asked: (shard) => groups[shard] as readonly number[],
    // Load generators have machines of their own, and are not what is measured.
    constants: { ...constants, client: 0 },
  };
  return new CostSimulation(plan).run();
}

function growth(
  results: readonly { readonly count: number; readonly result: CostResult }[],
  constants: CostConstants,
): readonly string[] {
  const one = results[0]?.result.writesPerSecond ?? Number.NaN;
  return [
    `Shards on separate nodes, each with a processor and a disk of its own that syncs in ${constants.syncMs.toFixed(2)} ms; the order on three more; ${CLIENTS_APART} clients a shard, who ask the nodes of it:`,
    '',
    table(
      [
        'shards',
        'nodes',
        'writes/s',
        `growth (aim ${GROWTH_AIM} × n)`,
        'p50 ms',
        'CPU µs a write',
        'of it for the order',
        'cuts/s',
        'busiest node',
      ],
      results.map(({ count, result }) => {
        const grown = result.writesPerSecond / one;
        return [
          String(count),
          String(3 + 3 * count),
          thousands(result.writesPerSecond),
          aimed(times(grown), grown >= GROWTH_AIM * count),
          milliseconds(result.p50Ms),
          thousands(result.cpuUs),
          thousands(result.orderCpuUs),
          thousands(result.cutsPerSecond),
          percent(result.busiest),
        ];
      }),
    ),
  ];
}

/** Beside a write that needs no second round, in the same cluster. */
function orderCost(measured: readonly Measured[]): readonly string[] {
  const figures = (place: number, of: (work: Work) => number): number =>
    median(
      measured
        .filter(
          ({ load }) => load.clients === CLIENTS && load.places.length === 1 && load.places[0] === place,
        )
        .map(({ work, requests }) => work.reduce((sum, one) => sum + of(one), 0) / requests),
    );
  const row = (title: string, of: (work: Work) => number): readonly string[] => {
    const [without, withOrder] = [figures(0, of), figures(1, of)];
    return [title, thousands(without), thousands(withOrder), thousands(withOrder - without)];
  };
  return [
    `What the order group costs, measured at ${CLIENTS} clients, of all members together for one write:`,
    '',
    table(
      ['', 'shard 0: one round', 'another shard: two', 'the order'],
      [
        row('CPU, µs', ({ cpuUs }) => cpuUs),
        row('bytes between members', ({ peerBytes }) => peerBytes),
        row('bytes to logs', ({ logBytes }) => logBytes),
      ],
    ),
  ];
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
