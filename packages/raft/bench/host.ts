import { configurationOf } from '../src/core/configuration.ts';
import { createHost } from '../src/host/host.ts';
import type { Host } from '../src/host/types.ts';
import type { Group } from '../src/host/types.ts';
import type { Entry, NodeId } from '../src/core/types.ts';
import type { StateMachine } from '../src/host/types.ts';
import { MemoryWorld } from './memory-platform.ts';

/**
 * Three replicas in one process, through real hosts, frames and logs, on memory disks: committed entries a second.
 * Prints one line of JSON. Usage: `npx tsx packages/raft/bench/host.ts [seconds] [in flight] [bytes]`.
 */
const seconds = Number(process.argv[2] ?? 5);
const inFlight = Number(process.argv[3] ?? 256);
const payloadBytes = Number(process.argv[4] ?? 16);

class CountingMachine implements StateMachine<number> {
  applied = { index: 0, term: 0 } as StateMachine<number>['applied'];

  get flushed(): StateMachine<number>['applied'] {
    return this.applied;
  }

  apply(entries: readonly Entry[]): readonly number[] {
    const results: number[] = [];
    for (const entry of entries) results.push(entry.index);
    const last = entries[entries.length - 1];
    if (last !== undefined) this.applied = { index: last.index, term: last.term };
    return results;
  }

  snapshot(): never {
    throw new Error('nobody falls behind here');
  }

  install(): never {
    throw new Error('nobody falls behind here');
  }
}

const world = new MemoryWorld();
const ids = [1, 2, 3] as NodeId[];
const peers = new Map(ids.map((id) => [id, { host: 'memory', port: id }]));
const hosts: Host[] = [];
const groups: Group<number>[] = [];
for (const id of ids) {
  const host = await createHost({
    platform: world.platform(`n${id}`),
    nodeId: id,
    clusterId: 1n,
    directory: 'data',
    peers,
    listen: { host: 'memory', port: id },
    config: { heartbeatMs: 20, electionMs: 400 },
  });
  hosts.push(host);
  groups.push(
    await host.openGroup({
      id: 0,
      stateMachine: new CountingMachine(),
      initialConfiguration: configurationOf(ids),
    }),
  );
}

let leader: Group<number> | undefined;
while (leader === undefined) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  leader = groups.find((group) => group.status().role === 'leader');
}

const payload = new Uint8Array(payloadBytes);
const { propose } = { propose: leader.propose.bind(leader) };
let committed = 0;
const latencies: number[] = [];
let running = true;

async function client(): Promise<void> {
  while (running) {
    const begin = performance.now();
    await propose(payload, { timeoutMs: 10_000 });
    committed += 1;
    if (committed % 64 === 0) latencies.push(performance.now() - begin);
  }
}

async function measure(ms: number): Promise<number> {
  const before = committed;
  const begin = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return ((committed - before) * 1000) / (performance.now() - begin);
}

const clients = Array.from({ length: inFlight }, client);
await measure(1000);
latencies.length = 0;
const cpuBefore = process.cpuUsage();
const before = committed;
const perSecond = await measure(seconds * 1000);
const cpu = process.cpuUsage(cpuBefore);
running = false;
await Promise.all(clients);
latencies.sort((a, b) => a - b);
const quantile = (q: number): number => latencies[Math.floor(latencies.length * q)] ?? 0;
const { metrics } = hosts[groups.indexOf(leader)] as Host;
console.log(
  JSON.stringify({
    benchmark: 'raft-host',
    replicas: 3,
    inFlight,
    payloadBytes,
    entriesPerSecond: Math.round(perSecond),
    cpuMicrosecondsPerEntry: Number(((cpu.user + cpu.system) / (committed - before)).toFixed(2)),
    p50Ms: Number(quantile(0.5).toFixed(3)),
    p99Ms: Number(quantile(0.99).toFixed(3)),
    entriesPerAppend: Math.round(metrics.entriesAppended / metrics.logAppends),
    messagesPerFrame: Number((metrics.messagesSent / metrics.framesSent).toFixed(2)),
  }),
);
await Promise.all(hosts.map((host) => host.close()));
process.exit(0);
