// Scenario 70: members behind Maelstrom's protocol, under its workloads and its partitions, as by
//   maelstrom test -w lin-kv --node-count 3 --concurrency 4n --rate 30 --time-limit 60 --nemesis partition --nemesis-interval 10
//
//   npm run soak:maelstrom -- [--workload lin-kv|txn-list-append] [--seconds 60] [--rate 30] [--nodes 3]
//     [--clients-per-node 4] [--nemesis-interval 10] [--times 1] [--seed 1]
//
// Both workloads unless one is named. Ends with 1 when the judge finds anything or a node writes what is no message.
import { parseArgs } from 'node:util';
import { describeVerdict } from '@flotilla/check';
import { seededRandom } from '@flotilla/platform';
import { type MaelstromReport, type Phase, runMaelstrom, workloads } from './maelstrom-run.ts';
import { drawPartition } from './partitions.ts';
import { ProcessNode } from './test-node.ts';

const { values } = parseArgs({
  options: {
    workload: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    rate: { type: 'string', default: '30' },
    nodes: { type: 'string', default: '3' },
    'clients-per-node': { type: 'string', default: '4' },
    'nemesis-interval': { type: 'string', default: '10' },
    times: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
  },
});
if (values.workload !== undefined && !(values.workload in workloads)) {
  console.error(`no workload is named ${values.workload}: there are ${Object.keys(workloads).join(', ')}`);
  process.exit(2);
}
const names = values.workload === undefined ? Object.keys(workloads) : [values.workload];
const ids = Array.from({ length: Number(values.nodes) }, (_, index) => `n${index + 1}`);
let failed = 0;
for (let time = 0; time < Number(values.times); time += 1) {
  for (const name of names) {
    const seed = Number(values.seed) + time;
    console.log(`${name}, seed ${seed}: ${values.seconds} s`);
    if (!(await round(name, seed))) failed += 1;
  }
}
console.log(failed === 0 ? 'no violation' : `${failed} runs failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function round(workload: string, seed: number): Promise<boolean> {
  const begin = performance.now();
  try {
    const report = await runMaelstrom({
      workload,
      nodes: ids.map((id) => new ProcessNode(id)),
      rate: Number(values.rate),
      clientsPerNode: Number(values['clients-per-node']),
      seed,
      phases: phasesOf(seed),
      onProgress: (line) => console.log(`  ${((performance.now() - begin) / 1_000).toFixed(1)} s: ${line}`),
    });
    describe(report);
    return report.verdict.outcome === 'ok' && report.offences.length === 0;
  } catch (error) {
    console.log(`  FAILED: ${String((error as Error).message)}`);
    return false;
  }
}

/** As Jepsen's nemesis: each interval a partition begins or ends. */
function phasesOf(seed: number): readonly Phase[] {
  const random = seededRandom(seed).fork('partitions');
  const intervalMs = Number(values['nemesis-interval']) * 1_000;
  const phases: Phase[] = [];
  for (let leftMs = Number(values.seconds) * 1_000; leftMs > 0; leftMs -= intervalMs) {
    const partition = phases.length % 2 === 0 ? null : drawPartition(ids, random);
    phases.push({ partition, lastsMs: Math.min(leftMs, intervalMs) });
  }
  return phases;
}

function describe({
  verdict,
  counts,
  answeredInPhases,
  latenciesMs,
  between,
  dropped,
  offences,
}: MaelstromReport): void {
  for (const [kind, { ok, failed: refused, unknown }] of counts) {
    console.log(`  ${kind}: ${ok} answered, ${refused} surely not done, ${unknown} of unknown outcome`);
  }
  const at = (share: number): string => (latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(1);
  console.log(
    `  answered in the intervals: ${answeredInPhases.join(', ')}; p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
  console.log(`  between nodes: ${between} messages, ${dropped} of them dropped`);
  for (const offence of offences.slice(0, 10)) console.log(`  ${offence}`);
  console.log(`  ${describeVerdict(verdict)}`);
}
