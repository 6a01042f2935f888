// Switches known bugs on, one at a time, and shows what notices them.
//
//   node --import tsx scripts/mutations/run.ts [--only 3,7] [--seconds 120] [--parallel 2] [--recorded | --record]
//   node --import tsx scripts/mutations/run.ts --summary
//
// --recorded tries the seed that killed a mutation before first; --record writes those seeds down: the first of 1, 2,
// 3… that kills. --summary runs nothing: it prints what was recorded of all mutations, and writes it into the README.
import { parseArgs } from 'node:util';
import type { Job, JobResult } from './job.ts';
import { readKillingSeeds, writeKillingSeeds } from './killing-seeds.ts';
import type { KillingSeeds } from './killing-seeds.ts';
import type { Mutation } from './mutation.ts';
import { runJobs } from './pool.ts';
import { loadMutations, patchesOf, title } from './registry.ts';
import { summaryTable, writeSummary } from './summary.ts';

export interface MutationsRun {
  /** One row for each mutation. */
  readonly rows: readonly MutationRow[];
  /** The unmutated code on the seeds that caught something. */
  readonly baselines: readonly BaselineRow[];
}

export interface MutationRow {
  readonly mutation: Mutation;
  readonly result: JobResult;
}

export interface BaselineRow {
  readonly scenario: string;
  readonly seeds: readonly number[];
  readonly result: JobResult;
}

export interface MutationsOptions {
  readonly secondsMax: number;
  readonly parallel: number;
  /** Tried before the others, which are 1 up to each mutation's limit. */
  readonly killingSeeds: KillingSeeds;
  readonly onRow?: (row: MutationRow) => void;
}

/** Runs each mutation, then the plain code on every seed up to the one that caught the last of them. */
export async function runMutations(
  mutations: readonly Mutation[],
  options: MutationsOptions,
): Promise<MutationsRun> {
  const jobs = mutations.map((mutation): Job => {
    const seeds = seedsOf(mutation, options.killingSeeds);
    const { secondsMax } = options;
    return { scenario: mutation.scenario, patches: patchesOf(mutation), seeds, secondsMax };
  });
  const results = await runJobs(jobs, options.parallel, (index, result) => {
    options.onRow?.({ mutation: mutations[index]!, result });
  });
  const rows = mutations.map((mutation, index) => ({ mutation, result: results[index]! }));
  return { rows, baselines: await runBaselines(rows, jobs, options) };
}

/** Whether every mutation was caught and the plain code was clean wherever one was. */
export function isComplete({ rows, baselines }: MutationsRun): boolean {
  return (
    rows.every(({ result }) => result.type === 'caught') &&
    baselines.every(({ result }) => result.type === 'clean' && !result.timedOut)
  );
}

function seedsOf(mutation: Mutation, killingSeeds: KillingSeeds): number[] {
  const seeds = Array.from({ length: mutation.seeds }, (_, index) => index + 1);
  const first = killingSeeds[title(mutation)];
  return first === undefined ? seeds : [first, ...seeds.filter((seed) => seed !== first)];
}

async function runBaselines(
  rows: readonly MutationRow[],
  jobs: readonly Job[],
  options: MutationsOptions,
): Promise<BaselineRow[]> {
  const seedsByScenario = new Map<string, Set<number>>();
  for (const [index, { mutation, result }] of rows.entries()) {
    const seeds = seedsByScenario.get(mutation.scenario) ?? new Set<number>();
    seedsByScenario.set(mutation.scenario, seeds);
    if (result.type !== 'caught') continue;
    for (const seed of jobs[index]!.seeds.slice(0, result.seedsTried)) seeds.add(seed);
  }
  // A mutation that nothing is known of could be caught by a bug of the plain code: no time limit worth speaking of.
  const secondsMax = options.secondsMax * 10;
  const baselines = [...seedsByScenario].map(([scenario, seeds]) => ({
    scenario,
    seeds: [...seeds].sort((a, b) => a - b),
  }));
  const results = await runJobs(
    baselines.map(({ scenario, seeds }) => ({ scenario, patches: [], seeds, secondsMax })),
    options.parallel,
  );
  return baselines.map((baseline, index) => ({ ...baseline, result: results[index]! }));
}

function row({ mutation, result }: MutationRow): string {
  const columns = [String(mutation.number).padStart(2), mutation.name.padEnd(58).slice(0, 58)];
  switch (result.type) {
    case 'caught':
      columns.push(
        result.invariant.padEnd(34).slice(0, 34),
        String(result.seed).padStart(6),
        String(result.seedsTried).padStart(6),
        result.seconds.toFixed(1).padStart(7),
      );
      break;
    case 'clean':
      columns.push(
        `SURVIVED${result.timedOut ? ' (out of time)' : ''}`.padEnd(34),
        '-'.padStart(6),
        String(result.seedsTried).padStart(6),
        result.seconds.toFixed(1).padStart(7),
      );
      break;
    case 'broken':
      columns.push(`BROKEN: ${result.message.split('\n')[0]}`);
      break;
  }
  return columns.join('  ');
}

function baselineRow({ scenario, seeds, result }: BaselineRow): string {
  const what = `unmutated ${scenario}, ${seeds.length} seeds`;
  switch (result.type) {
    case 'clean':
      return `${what}: ${result.timedOut ? `OUT OF TIME after ${result.seedsTried}` : 'clean'}, ${result.seconds.toFixed(1)} s`;
    case 'caught':
      return `${what}: VIOLATION of ${result.invariant} at seed ${result.seed}: ${result.message}`;
    case 'broken':
      return `${what}: BROKEN: ${result.message}`;
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seconds: { type: 'string', default: '300' },
      parallel: { type: 'string', default: '2' },
      recorded: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      summary: { type: 'boolean', default: false },
    },
  });
  if (values.record && values.recorded) {
    // How many seeds a mutation takes would not be known of one whose recorded seed was tried first.
    throw new Error('--record tries the seeds in order, so it does not go with --recorded');
  }
  const numbers = values.only?.split(',').map(Number);
  const all = await loadMutations();
  if (values.summary) {
    const table = summaryTable(all, readKillingSeeds());
    console.log(table);
    writeSummary(table);
    return;
  }
  const mutations = numbers === undefined ? all : all.filter(({ number }) => numbers.includes(number));
  console.log(header());
  const run = await runMutations(mutations, {
    secondsMax: Number(values.seconds),
    parallel: Number(values.parallel),
    killingSeeds: values.recorded ? readKillingSeeds() : {},
    onRow: (done) => console.log(row(done)),
  });
  for (const baseline of run.baselines) console.log(baselineRow(baseline));
  if (values.record) recordSeeds(run.rows);
  const caught = run.rows.filter(({ result }) => result.type === 'caught').length;
  console.log(`${caught} of ${run.rows.length} caught`);
  process.exitCode = isComplete(run) ? 0 : 1;
}

function header(): string {
  const columns = ['no', 'mutation'.padEnd(58), 'caught by'.padEnd(34), '  seed', ' seeds', 'seconds'];
  return columns.join('  ');
}

function recordSeeds(rows: readonly MutationRow[]): void {
  const seeds: Record<string, number> = { ...readKillingSeeds() };
  for (const { mutation, result } of rows) {
    if (result.type === 'caught') seeds[title(mutation)] = result.seed;
  }
  writeKillingSeeds(seeds);
}

if (process.argv[1] !== undefined && import.meta.filename === process.argv[1]) await main();
