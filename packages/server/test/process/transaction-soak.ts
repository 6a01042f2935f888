// Transactions over real members that are killed with -9, stopped and cut off, on shards that are split, merged and moved
// all the while, judged as in the simulator.
//
//   npm run soak:transactions -- [--seconds 60] [--seed 1] [--clients 2] [--members 5] [--shards 16] [--patience 1]
//
// A minute at a time, each with members of its own; with one shard the cluster is not sharded at all. Ends with 1 when a
// judge finds anything, when a transaction is in doubt for too long after its members are back, or when a lock is left.
// With more patience everybody waits longer, on a machine that is busy; what is allowed stays the same.
import { parseArgs } from 'node:util';
import { describeVerdict } from '@flotilla/check';
import { median } from './process-run.ts';
import { inDoubtMsMax, keepHistory, runTransactions, type TransactionReport } from './transaction-run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '2' },
    members: { type: 'string', default: '5' },
    shards: { type: 'string', default: '16' },
    patience: { type: 'string', default: '1' },
  },
});
const roundMs = 60_000;
let failed = 0;
let seed = Number(values.seed);
for (let leftMs = Number(values.seconds) * 1_000; leftMs > 0; leftMs -= roundMs) {
  if (!(await round(Math.min(leftMs, roundMs)))) failed += 1;
  seed += 1;
}
console.log(failed === 0 ? 'no violation' : `${failed} rounds failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function round(durationMs: number): Promise<boolean> {
  const begin = performance.now();
  const onProgress = (line: string): void => {
    console.log(`  ${((performance.now() - begin) / 1_000).toFixed(1)} s: ${line}`);
  };
  const plan = {
    seed,
    durationMs,
    clientsOfEach: Number(values.clients),
    members: Number(values.members),
    shards: Number(values.shards),
    patience: Number(values.patience),
    onProgress,
  };
  try {
    const report = await runTransactions(plan);
    describe(report);
    return isFine(report);
  } catch (error) {
    console.log(`seed ${seed} FAILED: ${String((error as Error).stack)}`);
    return false;
  }
}

function describe({
  history,
  answersMs,
  faults,
  revision,
  verdicts,
  workloads,
  shards,
}: TransactionReport): void {
  const count = (type: string): number => history.filter(({ outcome }) => outcome.type === type).length;
  console.log(
    `seed ${seed}: ${count('returned')} calls answered, ${count('failed')} refused, ${count('unknown')} of unknown ` +
      `outcome, ${revision} revisions; faults: ${listOf(faults)}; everybody answers a transaction on all shards ` +
      `${median(answersMs).toFixed(0)} ms after a fault, at worst ${Math.max(...answersMs).toFixed(0)} ms`,
  );
  for (const { name, operations, unknown, acrossShards } of workloads) {
    console.log(
      `  ${name}: ${operations} operations, ${unknown} of unknown outcome, ${acrossShards} transactions across shards`,
    );
  }
  if (shards !== null) {
    const gone = shards.locksGoneMs === null ? 'never' : `${shards.locksGoneMs.toFixed(0)} ms after the end`;
    console.log(
      `  changes of shards: ${listOf(shards.changes)}, ${shards.refusedChanges} refused or unknown; longest doubt after ` +
        `a fault ${shards.longestDoubtMs.toFixed(0)} ms; no lock, no waiting request, no change under way: ${gone}`,
    );
  }
  const bad = [...verdicts].filter(([, verdict]) => verdict.outcome !== 'ok');
  for (const [name, verdict] of bad) console.log(`${name}: ${describeVerdict(verdict)}`);
  console.log(`  ${verdicts.size - bad.length} of ${verdicts.size} judges are content`);
  if (bad.length > 0) console.log(`the history is in ${keepHistory(history)}`);
}

function isFine({ verdicts, answersMs, shards }: TransactionReport): boolean {
  const longestMs = shards === null ? Math.max(...answersMs) : shards.longestDoubtMs;
  const isLate = longestMs > inDoubtMsMax;
  if (isLate) console.log(`too long in doubt: ${longestMs.toFixed(0)} ms, ${inDoubtMsMax} are allowed`);
  const gone = shards === null ? 0 : (shards.locksGoneMs ?? Infinity);
  if (gone > inDoubtMsMax) console.log(`locks were left behind for ${gone.toFixed(0)} ms`);
  const isContent = [...verdicts.values()].every(({ outcome }) => outcome === 'ok');
  return isContent && !isLate && gone <= inDoubtMsMax;
}

function listOf(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([kind, count]) => `${count} ${kind}`).join(', ');
}
