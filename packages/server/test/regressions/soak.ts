// npm run soak:regressions -- [seconds] [first seed]
//
// Every bug that etcd has shipped, and a crash at every step of every operation, with one seed after the other.
import { crashAtEveryStep } from '../../simulation/crashes/every-step.ts';
import { operations } from '../../simulation/crashes/operations.ts';
import { shardOperations } from '../../simulation/crashes/shard-operations.ts';
import { etcdBugs } from '../../simulation/regressions/etcd-bugs.ts';

const stepsOfAChange = 12;
const [seconds = '600', firstSeed = '1'] = process.argv.slice(2);
const end = performance.now() + Number(seconds) * 1_000;
let failures = 0;

function failed(what: string, message: string): void {
  failures += 1;
  console.log(`${what}: ${message}`);
}

let seed = Number(firstSeed);
for (; performance.now() < end; seed += 1) {
  for (const { issue, name, scenario } of etcdBugs) {
    try {
      await scenario(seed);
    } catch (error) {
      failed(`etcd #${issue}, ${name}, seed ${seed}`, error instanceof Error ? error.message : String(error));
    }
    if (performance.now() > end) break;
  }
  for (const [name, operation] of Object.entries(operations)) {
    if (performance.now() > end) break;
    const { tried, broken } = await crashAtEveryStep(operation, seed, 'every');
    for (const { step, message } of broken) failed(`crash in ${name}, ${step}`, message);
    console.log(`seed ${seed}, ${name}: crashed at ${tried} steps, ${broken.length} broken`);
  }
  for (const [name, operation] of shardOperations) {
    if (performance.now() > end) break;
    // Five members have more than a thousand steps in a change: other ones with each seed.
    const { tried, broken } = await crashAtEveryStep(operation, seed, stepsOfAChange);
    for (const { step, message } of broken) failed(`crash in ${name}, ${step}`, message);
    console.log(`seed ${seed}, ${name}: crashed at ${tried} steps, ${broken.length} broken`);
  }
}
console.log(`${seed - Number(firstSeed)} seeds, ${failures} failures`);
process.exitCode = failures === 0 ? 0 : 1;
