// Every scenario over many seeds, in worker processes; one line for each, with its worst values against thresholds.
//
//   npm run soak:scenarios                       200 seeds of each, from seed 1
//   npm run soak:scenarios -- --seeds 20 --only 23 --from 1000
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { scenarios } from '../../simulation/scenarios/all.ts';
import type { Measure } from '../../simulation/scenarios/lab-result.ts';
import { runLab } from '../../simulation/scenarios/run-lab.ts';

interface Job {
  /** Position in the list of all. */
  readonly scenario: number;
  readonly from: number;
  readonly seeds: number;
}

interface Row {
  readonly seeds: number;
  readonly events: number;
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
  for (let seed = from; seed < from + seeds; seed += 1) {
    const result = await runLab(scenarios[scenario] as (typeof scenarios)[number], seed);
    events += result.events;
    const { violation } = result;
    if (violation !== null) failures.push({ seed, message: `${violation.name}: ${violation.message}` });
    for (const measure of result.measures) {
      if (measure.value >= (worst.get(measure.what)?.value ?? 0)) worst.set(measure.what, measure);
    }
  }
  return { seeds, events, measures: [...worst.values()], failures };
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
  const wanted = scenarios.flatMap(({ number }, position) =>
    values.only === '' || number === values.only || number.split(' ')[0] === values.only ? [position] : [],
  );
  if (wanted.length === 0) throw new Error(`no scenario has the number ${values.only}`);
  let failed = 0;
  const next = wanted[Symbol.iterator]();
  const work = async (): Promise<void> => {
    for (const scenario of next) {
      const row = await inProcess({ scenario, from: Number(values.from), seeds: Number(values.seeds) });
      failed += row.failures.length;
      print(scenario, row);
    }
  };
  await Promise.all(Array.from({ length: Number(values.workers) }, work));
  console.log(failed === 0 ? 'every threshold holds' : `${failed} runs failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function inProcess(job: Job): Promise<Row> {
  const child = fork(fileURLToPath(import.meta.url), [], { execArgv: ['--import', 'tsx'] });
  return new Promise((resolve, reject) => {
    child.once('message', (row) => resolve(row as Row));
    child.once('exit', (code) => reject(new Error(`a worker ended with ${code}`)));
    child.send(job);
  });
}

function print(position: number, { seeds, events, measures, failures }: Row): void {
  const scenario = scenarios[position] as (typeof scenarios)[number];
  const values = measures.map(
    ({ what, value, limit, unit }) => `${what} ${round(value)} of ${limit} ${unit}`,
  );
  const verdict = failures.length === 0 ? 'passed' : `${failures.length} FAILED`;
  const played = `${seeds} seeds ${verdict}, ${Math.round(events / seeds)} events each`;
  console.log([`${scenario.number}: ${played}`, ...values].join('; '));
  for (const { seed, message } of failures.slice(0, 5)) console.log(`    seed ${seed}: ${message}`);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
