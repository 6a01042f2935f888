import { type BenchReport, type BenchSettings } from '../../src/cli/bench/settings.ts';
import { callsOf, Measurement, openChannels, runLoad } from '../../src/cli/bench/load.ts';
import { probe } from '../../src/cli/bench/put.ts';
import type { ShardCluster } from './shard-cluster.ts';
import { drawing, fill, framesOf, keysOfPlace, type Workload } from './shard-workloads.ts';

export interface Load {
  readonly clients: number;
  readonly seconds: number;
}

const CONNECT_ATTEMPTS = 5;
const CLIENTS_PER_CONNECTION = 32;
/** Keys of one place in one transaction; divides what a place has. */
const FILL_BATCH = 100;

/** One measurement: so many requests under way, spread over all members. */
export async function measureOnce(
  cluster: ShardCluster,
  workload: Workload,
  { clients, seconds }: Load,
  total = Number.POSITIVE_INFINITY,
): Promise<BenchReport> {
  const settings = settingsOf(cluster, clients, seconds, total);
  const channels = await opened(settings);
  const frames = framesOf(workload, drawing(0x2545f491 ^ (clients * 7919)));
  const measurement = new Measurement(settings);
  await runLoad(settings, channels, measurement, callsOf(workload.path, frames));
  const report = measurement.report(workload.name);
  for (const channel of channels) channel.close();
  if (report.errors > 0) {
    process.stderr.write(
      `${workload.name}, ${cluster.name}: ${report.errors} errors (${String(report.error)})\n`,
    );
  }
  return report;
}

/** A machine that stood still for some seconds is no reason to lose all that was measured before. */
async function opened(settings: BenchSettings): ReturnType<typeof openChannels> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openChannels(settings, probe);
    } catch (error) {
      if (attempt === CONNECT_ATTEMPTS) throw error;
    }
  }
}

/** All keys of these places, once. */
export async function fillPlaces(cluster: ShardCluster, places: readonly number[]): Promise<void> {
  const total = (places.length * keysOfPlace) / FILL_BATCH;
  const load = { clients: 16, seconds: Number.POSITIVE_INFINITY };
  await measureOnce(cluster, fill(places, FILL_BATCH), load, total);
}

function settingsOf(
  { endpoints, pids }: ShardCluster,
  clients: number,
  seconds: number,
  total: number,
): BenchSettings {
  return {
    endpoints,
    clients,
    // One to each member, if there are as many clients.
    conns: Math.max(Math.min(clients, endpoints.length), Math.ceil(clients / CLIENTS_PER_CONNECTION)),
    total,
    seconds,
    rate: 0,
    keySize: 0,
    valueSize: 256,
    keySpace: 0,
    limit: 0,
    countOnly: false,
    serializable: false,
    serverPids: pids,
    batch: 0,
    watches: 0,
    prefixes: 0,
  };
}
