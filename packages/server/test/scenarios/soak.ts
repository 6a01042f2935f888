// Every scenario of the key-value service, and of the sharded one, over many seeds, in worker processes; one line for
// each, with its worst values against thresholds.
//
//   npm run soak:kv-scenarios                       200 seeds of each, from seed 1
//   npm run soak:kv-scenarios -- --seeds 20 --only 39,57 --from 1000
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { scenarios } from '../../simulation/scenarios/all.ts';
import type { KvLabResult, Measure } from '../../simulation/scenarios/lab-result.ts';
import { runKvScenario } from '../../simulation/scenarios/run-scenario.ts';
import { shardedScenarios } from '../../simulation/scenarios/sharded/all.ts';
import { runShardedScenario } from '../../simulation/scenarios/sharded/run-sharded-scenario.ts';

interface Soaked {
  readonly number: string;
  readonly title: string;
  readonly run: (seed: number) => Promise<KvLabResult>;
}

const all: readonly Soaked[] = [
  ...scenarios.map((each) => ({
    number: each.number,
    title: each.title,
    run: (seed: number) => runKvScenario(each, seed),
  })),
  ...shardedScenarios.map((each) => ({
    number: each.number,
    title: each.title,
    run: (seed: number) => runShardedScenario(each, seed),
  })),
];

interface Job {
  /** Position in the list of all. */
  readonly scenario: number;
  readonly from: number;
  readonly seeds: number;
}

interface Row {
  readonly seeds: number;
  readonly events: number;
  readonly cpuMs: number;
  readonly measures: readonly Measure[];
  readonly failures: readonly { readonly seed: number; readonly message: string }[];
}

if (process.send === undefined) await main();
else
  process.once(
    'message',
    (job: Job) => void perform(job).then((row) => process.send?.(row, () => process.exit(0))),
  );

/** One scenario in one process. */
async function perform({ scenario, from, seeds }: Job): Promise<Row> {
  const failures: { seed: number; message: string }[] = [];
  const worst = new Map<string, Measure>();
  let events = 0;
  const before = process.cpuUsage();
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = await (all[scenario] as Soaked).run(seed);
    events += result.events;
    const { violation } = result;
    if (violation !== null) failures.push({ seed, message: `${violation.name}: ${violation.message}` });
    for (const measure of result.measures) {
      if (measure.value >= (worst.get(measure.what)?.value ?? 0)) worst.set(measure.what, measure);
    }
  }
  const { user, system } = process.cpuUsage(before);
  return { seeds, events, cpuMs: (user + system) / 1_000, measures: [...worst.values()], failures };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '200' },
      from: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      workers: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    },
  });
  const wanted = all
    .map((scenario, index) => ({ scenario, index }))
    .filter(
      ({ scenario }) => values.only === '' || values.only.split(',').some((only) => isOf(scenario, only)),
    );
  let failed = 0;
  const worker = async (): Promise<void> => {
    for (let next = wanted.shift(); next !== undefined; next = wanted.shift()) {
      const row = await inProcess({
        scenario: next.index,
        from: Number(values.from),
        seeds: Number(values.seeds),
      });
      print(next.scenario, row);
      failed += row.failures.length;
    }
  };
  await Promise.all(Array.from({ length: Number(values.workers) }, worker));
  console.log(failed === 0 ? 'all passed' : `${failed} runs failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

/** `39` means all its forms. */
function isOf({ number }: Soaked, only: string): boolean {
  return number === only || number.startsWith(`${only} `);
}

function inProcess(job: Job): Promise<Row> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: ['--import', 'tsx'] });
    child.once('message', (row) => resolve(row as Row));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
    child.send(job);
  });
}

function print({ number, title }: Soaked, { seeds, events, cpuMs, measures, failures }: Row): void {
  const worst = measures.map(
    ({ what, value, limit, unit }) => `${what} ${Math.round(value)} of ${limit} ${unit}`,
  );
  const outcome = failures.length === 0 ? 'ok' : `${failures.length} FAILED`;
  console.log(
    `${number.padEnd(52)} ${seeds} seeds ${outcome}, ${events} events, ${(cpuMs / seeds / 1_000).toFixed(1)} s of CPU each; ${worst.join(', ')}`,
  );
  if (failures.length > 0) console.log(`  ${title}`);
  for (const { seed, message } of failures.slice(0, 5)) console.log(`  seed ${seed}: ${message}`);
}
