import { ShardReplicaRole } from '@flotilla/wire';
import { aimed, median, milliseconds, table } from './figures.ts';
import type { PartSettings } from './part-settings.ts';
import { pause, ShardCluster } from './shard-cluster.ts';
import { SteadyLoad } from './steady-load.ts';

const SHARDS = 16;
const every = Array.from({ length: SHARDS }, (_, place) => place);
/** Of the rate, in each shard: puts, and as many ranges. */
const SHARE_OF_A_SHARD = 0.2;
const BEFORE_MS = 5_000;
const WATCHED_MS = 12_000;
/** It is replaced after this: a minute, where nobody says otherwise. */
const LOST_AFTER_S = 20;
const REPLICATED_MS = 150_000;
const BACK_AIM_MS = 3_000;

interface Loss {
  readonly of: string;
  readonly shardsLed: number;
  /** Of each shard: from the kill to the answer of the first request that came after it. */
  readonly writesBackMs: readonly number[];
  readonly readsBackMs: readonly number[];
  /** When the last request was due that failed, or took longer than a second. */
  readonly lastTroubleMs: number;
  readonly failures: number;
  /** Null: not in the time that it was given. */
  readonly replicatedMs: number | null;
}

/** One node of five is killed: once one that leads shards alone, once the one that leads the order. */
export async function nodeLoss(settings: PartSettings): Promise<string> {
  const losses: Loss[] = [];
  const probes = SHARE_OF_A_SHARD * settings.rate;
  for (const [round, leadsOrder] of [false, true].entries()) {
    const { directory, basePort } = settings;
    const port = basePort + 20 * round;
    const environment = { ETCD_SHARD_NODE_LOST_AFTER: `${LOST_AFTER_S}s` };
    const plan = { name: `loss-${round}`, nodes: 5, shards: SHARDS, directory, basePort: port, environment };
    const cluster = await ShardCluster.start(plan);
    try {
      losses.push(await lose(cluster, leadsOrder, probes));
    } finally {
      await cluster.stop();
    }
    process.stderr.write(`node-loss: ${round + 1} of 2\n`);
  }
  return report(losses, probes);
}

async function lose(cluster: ShardCluster, leadsOrder: boolean, probes: number): Promise<Loss> {
  const shards = await cluster.list();
  const orderLeader = (await cluster.shardOf(0)).leader;
  const led = (node: number): number => shards.filter(({ leader }) => leader === node).length;
  const others = (await cluster.nodes()).map(({ node }) => node).filter((node) => node !== orderLeader);
  const victim = leadsOrder ? orderLeader : (others.sort((a, b) => led(b) - led(a))[0] as number);
  const names = (await cluster.nodes()).find(({ node }) => node === victim)?.name ?? '';
  const place = Number(names.replace(/^n/, '')) - 1;
  const load = new SteadyLoad({
    endpoints: cluster.endpoints.filter((_, other) => other !== place),
    places: every,
    rates: () => ({ put: probes, range: probes }),
  });
  await pause(BEFORE_MS);
  const killedMs = performance.now();
  cluster.kill(place);
  await pause(WATCHED_MS);
  await load.stop();
  const after = load.probes.filter(({ dueMs }) => dueMs >= killedMs);
  const back = (kind: 'put' | 'range'): readonly number[] =>
    every.map((shard) =>
      Math.min(
        ...after
          .filter((probe) => probe.place === shard && probe.kind === kind && probe.succeeded)
          .map(({ dueMs, latencyMs }) => dueMs + latencyMs - killedMs),
      ),
    );
  const troubled = after.filter(({ succeeded, latencyMs }) => !succeeded || latencyMs > 1_000);
  return {
    of: leadsOrder ? 'the node that leads the order' : 'another node',
    shardsLed: led(victim),
    writesBackMs: back('put'),
    readsBackMs: back('range'),
    lastTroubleMs: Math.max(0, ...troubled.map(({ dueMs }) => dueMs - killedMs)),
    failures: after.filter(({ succeeded }) => !succeeded).length,
    replicatedMs: await replicatedAfter(cluster, victim, killedMs),
  };
}

/** All shards have as many voters as they should, and none of them is the lost node. Shard 0 is on every node there is. */
async function replicatedAfter(cluster: ShardCluster, lost: number, sinceMs: number): Promise<number | null> {
  while (performance.now() - sinceMs < REPLICATED_MS) {
    const shards = await cluster.list().catch(() => []);
    const isWhole =
      shards.length > 0 &&
      shards
        .filter(({ shard }) => shard !== 0)
        .every(({ replicas, wantedReplicas }) => {
          const voters = replicas.filter(({ role, leaving }) => role === ShardReplicaRole.VOTER && !leaving);
          return voters.length >= wantedReplicas && !voters.some(({ node }) => node === lost);
        });
    if (isWhole) return performance.now() - sinceMs;
    await pause(200);
  }
  return null;
}

function report(losses: readonly Loss[], probes: number): string {
  const rows = losses.map((loss) => {
    const writes = Math.max(...loss.writesBackMs);
    const reads = Math.max(...loss.readsBackMs);
    return [
      loss.of,
      String(loss.shardsLed),
      `${milliseconds(median(loss.writesBackMs))} / ${aimed(milliseconds(writes), writes <= BACK_AIM_MS)}`,
      `${milliseconds(median(loss.readsBackMs))} / ${aimed(milliseconds(reads), reads <= BACK_AIM_MS)}`,
      milliseconds(loss.lastTroubleMs),
      String(loss.failures),
      loss.replicatedMs === null ? `not in ${REPLICATED_MS / 1_000} s` : milliseconds(loss.replicatedMs),
    ];
  });
  const head = [
    'killed with -9',
    'shards that it led',
    'writes back: median / all shards, ms',
    'reads back: median / all shards, ms',
    'last trouble, ms',
    'failed requests',
    'full replication, ms',
  ];
  return [
    `Five members, ${SHARDS} shards, ${probes} puts and ${probes} linearizable ranges a second in each, at the members that live on, each when it is due. Back: the first answer to a request that was due after the kill; aim ${BACK_AIM_MS / 1_000} s. Last trouble: when the last request was due that failed or took more than a second. Full replication comes without anybody's help; the node counts as lost after ${LOST_AFTER_S} s here.`,
    '',
    table(head, rows),
  ].join('\n');
}
