// Placement at scale, from the function that members run: what it does when zones are lost, nodes come, go, flap and
// restart, and shards grow and become hot. Time is simulated; processor seconds and heap are real.
//
//   node --expose-gc --import tsx packages/server/bench/placement.ts [--nodes 10000] [--shards 1000000] [--only NAME,…]
//        [--tick MS] between two calls [--seed N]
import { parseArgs } from 'node:util';
import { seededRandom } from '@flotilla/platform';
import type { NodeView, ShardView } from '../src/placement/cluster-view.ts';
import { plan } from '../src/placement/plan.ts';
import { dimensions, defaultSettings, type PlacementSettings } from '../src/placement/settings.ts';
import { sharesOf } from '../src/placement/shares.ts';
import { PlacementWorld } from '../simulation/placement/placement-world.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '10000' },
    shards: { type: 'string', default: '1000000' },
    zones: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
    seed: { type: 'string', default: '1' },
    tick: { type: 'string', default: '1000' },
  },
});
const nodeCount = Number(values.nodes);
const shardCount = Number(values.shards);
const zoneCount = Number(values.zones);
const random = seededRandom(Number(values.seed));
const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;
const replicasPerNode = (3 * shardCount) / nodeCount;

const settings: PlacementSettings = { ...defaultSettings, mergeBytes: 16 * mebibyte };
const bandwidthBytesPerSecond = 100 * mebibyte;
/** For all nodes together, for balance alone: a tenth of what they could take in. */
const budgetBytesPerSecond = (nodeCount * bandwidthBytesPerSecond) / 10;

const cpu = { planSeconds: 0, calls: 0, slowestMs: 0 };

function node(id: number, zone: number, capacityShare = 1): NodeView {
  return {
    id,
    zone: `zone-${zone}`,
    labels: [],
    life: 'serving',
    silent: false,
    sinceMs: -1e9,
    capacityBytes: Math.ceil(capacityShare * replicasPerNode * 4) * 64 * mebibyte,
    usedBytes: 0,
    capacityLoad: capacityShare * 10_000,
  };
}

/** Spread evenly, one replica in each zone, sizes and loads of all kinds. */
function* shards(): Iterable<ShardView> {
  const perZone = Math.floor(nodeCount / zoneCount);
  const order = Array.from({ length: perZone }, (_, i) => i);
  for (let i = 0; i < shardCount; i += 1) {
    if (i % perZone === 0) shuffle(order);
    const home = order[i % perZone]!;
    const zones = [i % zoneCount, (i + 1) % zoneCount, (i + 2) % zoneCount];
    const on = zones.map(
      (zone, k) => 1 + zone + zoneCount * ((home + k * 7 + k * Math.floor(i / perZone)) % perZone),
    );
    yield {
      id: i + 1,
      left: i === 0 ? null : i,
      right: i + 1 === shardCount ? null : i + 2,
      epoch: { membership: 1, range: 1 },
      policy: 0,
      bytes: (32 + random.below(64)) * mebibyte,
      writes: 1 + random.below(20),
      reads: random.below(30),
      hotKey: false,
      sticky: false,
      replicas: on.map((id) => ({ node: id, role: 'voter' as const })),
      leader: on[0]!,
      replaces: null,
      movedFrom: [],
      operation: null,
    };
  }
}

function shuffle(list: number[]): void {
  for (let i = list.length - 1; i > 0; i -= 1) {
    const j = random.below(i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
}

const begun = performance.now();
const world = new PlacementWorld({
  settings,
  nodes: Array.from({ length: nodeCount }, (_, i) => node(i + 1, i % zoneCount)),
  shards: shards(),
  shardCount,
  random,
  tickMs: Number(values.tick),
  bandwidthBytesPerSecond,
  budgetBytesPerSecond,
  budgetBurstBytes: 2 * budgetBytesPerSecond,
  operationMinMs: 20,
  operationMaxMs: 200,
  planner: (state, options) => {
    const before = performance.now();
    const cpuBefore = process.cpuUsage();
    const result = plan(state, options);
    const { user, system } = process.cpuUsage(cpuBefore);
    cpu.planSeconds += (user + system) / 1e6;
    cpu.calls += 1;
    cpu.slowestMs = Math.max(cpu.slowestMs, performance.now() - before);
    return result;
  },
});
console.log(
  `${nodeCount} nodes in ${zoneCount} zones, ${shardCount} shards of 3 replicas, ` +
    `${(totalBytes() / gibibyte / 1024).toFixed(1)} TiB; state built in ${seconds(performance.now() - begun)}; ` +
    `${(bandwidthBytesPerSecond / mebibyte).toFixed(0)} MiB/s a node`,
);

interface Row {
  readonly scenario: string;
  readonly bytesMinimum: number;
  readonly converged: boolean;
}

function measure(scenario: string, change: () => number, during: () => void = () => {}): void {
  const only = values.only.split(',').filter((name) => name !== '');
  if (only.length > 0 && !only.some((name) => scenario.includes(name))) return;
  const cpuBefore = process.cpuUsage();
  Object.assign(cpu, { planSeconds: 0, calls: 0, slowestMs: 0 });
  const startMs = world.nowMs;
  world.beginPhase();
  const bytesMinimum = change();
  const under = { since: -1, untilMs: 0, shardSeconds: 0, most: 0 };
  let look = world.nowMs;
  during();
  const maxMs = 12 * 3_600_000;
  const quietMs = Math.max(120_000, world.nowMs - startMs);
  while (world.nowMs - startMs < maxMs) {
    world.run(Math.min(startMs + maxMs, look + 10_000));
    const { shards: short } = world.missing();
    if (short > 0) {
      if (under.since < 0) under.since = look;
      under.untilMs = world.nowMs;
      under.most = Math.max(under.most, short);
      under.shardSeconds += (short * (world.nowMs - look)) / 1000;
    }
    look = world.nowMs;
    if (world.nowMs - world.lastDecisionMs >= quietMs && world.state.underWay === 0) break;
  }
  const converged = world.nowMs - startMs < maxMs;
  report({ scenario, bytesMinimum, converged }, startMs, under, process.cpuUsage(cpuBefore));
}

function report(
  { scenario, bytesMinimum, converged }: Row,
  startMs: number,
  under: { readonly untilMs: number; readonly shardSeconds: number; readonly most: number },
  total: NodeJS.CpuUsage,
): void {
  const { movement } = world;
  (globalThis as { gc?: () => void }).gc?.();
  const heap = process.memoryUsage();
  const ratio = bytesMinimum > 0 ? (movement.movedBytes / bytesMinimum).toFixed(3) : '-';
  const levels = levelsNow();
  console.log(
    JSON.stringify({
      scenario,
      converged,
      timeToBalanceSeconds: Math.round((world.lastDecisionMs - startMs) / 1000),
      moves: movement.moves,
      movedGiB: Math.round(movement.movedBytes / gibibyte),
      overMinimum: ratio,
      wastedGiB: Math.round(movement.wastedBytes / gibibyte),
      transfers: movement.transfers,
      splits: movement.splits,
      merges: movement.merges,
      thrash: movement.thrash,
      leaderThrash: movement.leaderThrash,
      stale: movement.refused,
      maxOverShare: levels,
      underReplicatedSeconds: under.untilMs === 0 ? 0 : Math.round((under.untilMs - startMs) / 1000),
      underReplicatedMost: under.most,
      shardSecondsUnderReplicated: Math.round(under.shardSeconds),
      planCpuSeconds: Number(cpu.planSeconds.toFixed(1)),
      planCalls: cpu.calls,
      planSlowestMs: Math.round(cpu.slowestMs),
      allCpuSeconds: Math.round((total.user + total.system) / 1e6),
      heapMiB: Math.round(heap.heapUsed / mebibyte),
      columnsMiB: Math.round(heap.arrayBuffers / mebibyte),
    }),
  );
}

/** Of the node that has most over its share. */
function levelsNow(): Record<string, number> {
  const { nodes } = world.state;
  const { share } = sharesOf(world.state);
  return Object.fromEntries(
    dimensions.map((name, dimension) => {
      let most = 0;
      for (let place = 0; place < nodes.count; place += 1) {
        const its = share[dimension]![place]!;
        if (its > 0) most = Math.max(most, nodes.amounts[dimension]![place]! / its);
      }
      return [name, Number(most.toFixed(3))];
    }),
  );
}

function totalBytes(): number {
  let total = 0;
  for (let place = 0; place < world.state.nodes.count; place += 1)
    total += world.state.nodes.amounts[1]![place]!;
  return total;
}

function bytesOn(ids: readonly number[]): number {
  let total = 0;
  const { nodes, shards: table } = world.state;
  for (const id of ids) {
    const place = nodes.placeOf(id);
    const list = nodes.lists[place]!;
    for (let i = 0; i < nodes.listed[place]!; i += 1)
      total += table.bytes[Math.floor(list[i]! / table.stride)]!;
  }
  return total;
}

/** What the nodes lack in all, as far as they are not within the band anyway: what must be moved at least. */
function bytesLacking(band = 0): number {
  const { nodes } = world.state;
  const { share } = sharesOf(world.state);
  let [lacking, excess] = [0, 0];
  for (let place = 0; place < nodes.count; place += 1) {
    const its = nodes.amounts[1]![place]!;
    lacking += Math.max(0, share[1]![place]! * (1 - band) - its);
    excess += Math.max(0, its - share[1]![place]! * (1 + band));
  }
  return Math.max(lacking, excess);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

const ids = (): number[] => world.state.nodes.views.map(({ id }) => id);
const steadily = (): void => world.run(world.nowMs + 70_000);

measure('settle: evenly built', () => 0);
measure('steady: nothing changes for an hour', () => {
  world.run(world.nowMs + 3_600_000);
  return 0;
});
measure('rolling restart: every node absent for 30 s', () => {
  const batch = Math.ceil(nodeCount / 100);
  ids().forEach((id, i) => {
    const atMs = world.nowMs + Math.floor(i / batch) * 40_000;
    world.at(atMs, () => world.silence(id));
    world.at(atMs + 30_000, () => world.hear(id));
  });
  world.run(world.nowMs + 101 * 40_000);
  return 0;
});
measure('flapping: 1 % of the nodes come and go for 20 minutes', () => {
  const flapping = ids().slice(0, Math.ceil(nodeCount / 100));
  for (const id of flapping) {
    for (let i = 0; i < 20; i += 1) {
      const atMs = world.nowMs + i * 60_000 + random.below(20_000);
      world.at(atMs, () => world.silence(id));
      world.at(atMs + 20_000, () => world.hear(id));
    }
  }
  world.run(world.nowMs + 20 * 60_000 + 60_000);
  return 0;
});
measure('added: 10 % more nodes', () => {
  const more = Math.ceil(nodeCount / 10);
  for (let i = 0; i < more; i += 1) {
    world.setNode({ ...node(nodeCount + i + 1, i % zoneCount), sinceMs: world.nowMs });
  }
  steadily();
  return bytesLacking();
});
measure('drained: as many nodes', () => {
  const drained = ids().slice(0, Math.ceil(nodeCount / 10));
  const bytes = bytesOn(drained);
  for (const id of drained) world.setNode({ ...world.node(id), life: 'draining' });
  return bytes;
});
measure('bigger: one node of each zone has ten times the capacity', () => {
  for (let zone = 0; zone < zoneCount; zone += 1) {
    const its = world.state.nodes.views.find(
      (view) => view.zone === `zone-${zone}` && view.life === 'serving',
    )!;
    world.setNode({ ...its, capacityBytes: its.capacityBytes * 10, capacityLoad: its.capacityLoad * 10 });
  }
  return bytesLacking();
});
measure('hot: 1 % of the shards, on a tenth of the nodes, have twenty times the load', () => {
  let left = shardCount / 100;
  for (const id of ids().filter((its) => its % 10 === 3)) {
    for (const view of world.shardsOn(id)) {
      if (left <= 0) return 0;
      if (view.leader !== id || view.id % 10 !== 0) continue;
      left -= 1;
      world.setShard({ ...view, writes: view.writes * 20, reads: view.reads * 20 });
    }
  }
  return 0;
});
measure('skewed: the shards of 5 % of the nodes grow by half', () => {
  const chosen = ids().filter((id) => id % 20 === 7);
  const grown = new Set<number>();
  for (const id of chosen) {
    for (const view of world.shardsOn(id)) {
      if (grown.has(view.id) || view.replicas[0]!.node !== id) continue;
      grown.add(view.id);
      world.setShard({ ...view, bytes: Math.floor(view.bytes * 1.5) });
    }
  }
  return bytesLacking(settings.band.bytes);
});
let lostZone: number[] = [];
measure('zone lost', () => {
  lostZone = ids().filter((id) => world.node(id).zone === 'zone-1');
  const bytes = bytesOn(lostZone);
  for (const id of lostZone) world.silence(id);
  world.run(world.nowMs + settings.lostAfterMs + 2_000);
  return bytes;
});
measure('zone back', () => {
  for (const id of lostZone) world.hear(id);
  steadily();
  return bytesLacking();
});
measure('steady again for an hour', () => {
  world.run(world.nowMs + 3_600_000);
  return 0;
});
