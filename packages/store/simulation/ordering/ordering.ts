import type { RunResult, Scenario, Tape } from '@flotilla/sim';
import { Client } from './client.ts';
import { Cluster } from './cluster.ts';
import type { OrderingHistory } from './history.ts';
import { Watcher } from './hub.ts';
import { Operator } from './operator.ts';
import { Oracle } from './oracle.ts';
import { type OrderingViolation } from './witness.ts';
import { Workload } from './workload.ts';
import { OrderingWorld } from './world.ts';

const clientCount = 3;
const watcherCount = 3;
const chaosMs = 400;
/** After healing clients go on for so long; then everything has to become quiet, and to stay so. */
const workMs = 60;
const quietMs = 40;
const lateMs = 280;
const longestMs = 4_000;

/**
 * The machines of many shards and of their order, with all that may go wrong between them, and without storage and
 * sockets: elections, lost and repeated messages, late copies, crashes, splits, merges, moves, leases, watches,
 * compactions and users, judged by one replay in the order of revisions.
 */
export const orderingScenario: Scenario = { name: 'ordering', run };

function run(tape: Tape): RunResult {
  const world = new OrderingWorld(tape);
  let violation: OrderingViolation | null;
  let stack: string | null = null;
  try {
    violation = runWorld(world);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    violation = { name: 'assertion', message: error.message };
    stack = error.stack ?? null;
  }
  return {
    violation:
      violation === null ? null : { ...violation, node: null, timeMs: world.now, event: world.events, stack },
    events: world.events,
    simulatedMs: world.now,
    traceHash: world.trace.toString(),
    coverage: world.coverage.toJSON(),
    faults: world.faults,
  };
}

function runWorld(world: OrderingWorld): OrderingViolation | null {
  const history: OrderingHistory = { writes: new Map(), reads: [], admin: [] };
  const cluster = new Cluster(world);
  const operator = new Operator(cluster, history, chaosMs);
  const workload = new Workload(world, () => operator.leases);
  const clients = Array.from(
    { length: clientCount },
    (_, i) => new Client(cluster, workload, history, `c${i}`, chaosMs + workMs),
  );
  const watchers = Array.from({ length: watcherCount }, () => new Watcher(cluster, workload.span()));
  world.at(chaosMs, () => operator.heal());
  let quietSince = Infinity;
  world.every(10, 'quiet', () => {
    world.settling = clients.every((client) => client.finished) && operator.pending === 0;
    // The last copies of messages from before may still be on their way.
    const isEarly = world.now < chaosMs + lateMs;
    if (isEarly || !world.settling || !cluster.isQuiet) quietSince = Infinity;
    else quietSince = Math.min(quietSince, world.now);
  });
  while (world.now < longestMs && world.now < quietSince + quietMs) {
    world.step();
    if (cluster.witness.violation !== null) return cluster.witness.violation;
  }
  world.ended = true;
  const { coverage } = world;
  coverage.count('transaction committed', cluster.witness.commits);
  coverage.count('transaction aborted', cluster.witness.aborts);
  coverage.count('operation', history.writes.size + history.reads.length);
  coverage.count('revision', cluster.nodes[0]?.order.frontier ?? 0);
  coverage.count(
    'watch batch',
    watchers.reduce((sum, { got }) => sum + got.length, 0),
  );
  return new Oracle(cluster, history).judge(clients, watchers);
}
