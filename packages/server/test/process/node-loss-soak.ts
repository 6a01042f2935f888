// Stops one node of five without a word, each in its turn, then kills each with -9, and prints how long it takes until
// every shard takes writes and answers reads again. The last one stays dead until all shards have all their replicas
// elsewhere, which nobody asks for.
//
//   npm run soak:node-loss -- [--shards 16] [--repair-minutes 5]
//
// A node counts as lost when it was silent for a minute: so long the last part takes at least; 0 minutes leave it out.
import { parseArgs } from 'node:util';
import { splitKeys } from '../../simulation/transactions/key-spread.ts';
import { expectValue, keysOfShards, type Loss, loseNode, replicated } from './node-loss.ts';
import { type MemberProcess, pause, ProcessCluster } from './process-cluster.ts';
import { median } from './process-run.ts';
import { beginShards } from './shard-calls.ts';

const { values } = parseArgs({
  options: {
    shards: { type: 'string', default: '16' },
    'repair-minutes': { type: 'string', default: '5' },
  },
});
const backMsMax = 3_000;
const settleMs = 120_000;
const calmMs = 3_000;
const shards = Number(values.shards);
const keys = keysOfShards(shards);
const repairMs = Number(values['repair-minutes']) * 60_000;
let failed = 0;

const cluster = await ProcessCluster.start({ members: 5 });
try {
  await run();
} catch (error) {
  failed += 1;
  console.log(`FAILED: ${String((error as Error).stack)}\n${cluster.logs()}`);
} finally {
  await cluster.remove();
}
console.log(failed === 0 ? 'no violation' : `${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function run(): Promise<void> {
  const { members } = cluster;
  await beginShards((members[0] as MemberProcess).channel, splitKeys(shards), settleMs);
  for (const loss of ['stopped', 'killed'] as const) {
    for (const [turn, member] of members.entries()) {
      await settled();
      // Every other time whoever controls the shards, too.
      const leader = await cluster.leader(settleMs);
      const victim = turn % 2 === 0 ? leader : member;
      const value = `${loss} in turn ${turn}`;
      await lose(victim, loss, victim === leader ? ', the controller,' : '', value);
      const isLast = loss === 'killed' && turn === members.length - 1;
      if (isLast && repairMs > 0) await repair(victim, value);
      else if (loss === 'killed') await cluster.restart(victim);
      else cluster.thaw(victim);
    }
  }
}

async function lose(victim: MemberProcess, loss: Loss, what: string, value: string): Promise<void> {
  const back = await loseNode(cluster, victim, loss, keys, value);
  const writes = back.map(({ writeMs }) => writeMs);
  const reads = back.map(({ readMs }) => readMs);
  const worstMs = Math.max(...reads, ...writes);
  if (worstMs > backMsMax) failed += 1;
  for (const { key, readMs, writeMs, refusals } of back) {
    if (Math.max(readMs, writeMs) > backMsMax) console.log(`  ${key}: ${refusals.join('; ')}`);
  }
  console.log(
    `n${victim.index + 1}${what} ${loss}: writes of all ${back.length} shards back after ${words(writes)}, reads after ` +
      `${words(reads)}${worstMs > backMsMax ? `: TOO LATE, ${backMsMax} ms are allowed` : ''}`,
  );
}

async function repair(victim: MemberProcess, value: string): Promise<void> {
  const others = cluster.members.filter((member) => member !== victim);
  const afterMs = await replicated(others, victim.index + 1, repairMs);
  if (afterMs === null) {
    failed += 1;
    console.log(`NOT replicated fully ${values['repair-minutes']} minutes after the loss`);
    return;
  }
  console.log(`every shard has all its replicas again ${(afterMs / 1_000).toFixed(0)} s after the loss`);
  await Promise.all(keys.map((key, i) => expectValue(others, i, key, value)));
}

async function settled(): Promise<void> {
  if ((await replicated(cluster.members, null, settleMs)) === null) {
    throw new Error(`shards were not where they should be within ${settleMs} ms`);
  }
  await pause(calmMs);
}

function words(samples: readonly number[]): string {
  return `${Math.max(...samples).toFixed(0)} ms (median ${median(samples).toFixed(0)})`;
}
