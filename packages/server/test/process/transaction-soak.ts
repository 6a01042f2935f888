// Transactions over real members that are killed with -9, stopped and cut off, judged as in the simulator.
//
//   npm run soak:transactions -- [--seconds 60] [--seed 1] [--clients 3]
//
// A minute at a time, each with members of its own. Ends with 1 when a judge finds anything, or when a transaction is
// in doubt for too long after its members are back.
import { parseArgs } from 'node:util';
import { describeVerdict } from '@flotilla/check';
import { median } from './process-run.ts';
import { inDoubtMsMax, keepHistory, runTransactions } from './transaction-run.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '3' },
  },
});
const roundMs = 60_000;
let failed = 0;
let seed = Number(values.seed);
for (let leftMs = Number(values.seconds) * 1_000; leftMs > 0; leftMs -= roundMs) {
  await round(Math.min(leftMs, roundMs));
  seed += 1;
}
console.log(failed === 0 ? 'no violation' : `${failed} rounds failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function round(durationMs: number): Promise<void> {
  const onProgress = (line: string): void => console.log(`  ${line}`);
  const clientsOfEach = Number(values.clients);
  const report = await runTransactions({ seed, durationMs, clientsOfEach, onProgress });
  const { history, inDoubtMs, errands, faults, revision, verdicts } = report;
  const count = (type: string): number => history.filter(({ outcome }) => outcome.type === type).length;
  const worstMs = Math.max(...inDoubtMs);
  console.log(
    `seed ${seed}: ${errands} errands, ${count('returned')} calls answered, ${count('failed')} refused, ` +
      `${count('unknown')} of unknown outcome, ${revision} revisions, ${faults} faults; everybody answers a ` +
      `transaction over all keys ${median(inDoubtMs).toFixed(0)} ms after a fault, at worst ${worstMs.toFixed(0)} ms`,
  );
  const bad = [...verdicts].filter(([, verdict]) => verdict.outcome !== 'ok');
  for (const [name, verdict] of bad) console.log(`${name}: ${describeVerdict(verdict)}`);
  console.log(`${verdicts.size - bad.length} of ${verdicts.size} judges are content`);
  if (bad.length > 0) console.log(`the history is in ${keepHistory(history)}`);
  if (worstMs > inDoubtMsMax) console.log(`too long in doubt: at most ${inDoubtMsMax} ms are allowed`);
  if (bad.length > 0 || worstMs > inDoubtMsMax) failed += 1;
}
