import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { FlotillaError } from '@flotilla/platform';
import type * as Sim from '@flotilla/sim';
import { limits } from '../limits.ts';
import { reportFinding, reportReplay, reportSeed } from './simulate-report.ts';
import type { Failure, Parts, ReportOptions } from './simulate-report.ts';
import { duration, grouped, print } from './simulate-words.ts';
import { subcommand } from './subcommand.ts';

export type { Sim };

/**
 * `flotilla simulate`: runs seeds of a scenario until one violates something. A failure is shrunk, its faults are told
 * in words, a page that shows the run is written beside its tape, and the line that replays it is printed; the exit
 * code is 1 then.
 */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('simulate', 'run the database in the simulator under faults')
    .option(
      '--scenario <name>',
      'cluster (the whole database), members (while its members come and go), bank, list-append, long-fork, ' +
        'write-skew, phantom or registers (transactions on it), core (consensus alone), storm (its members change), contested (its leaders do), ' +
        'host, host-membership, host-snapshots, host-leases, replica, or placement',
      'cluster',
    )
    .option('--seed <number>', 'run one seed')
    .option('--seeds <count>', 'run so many seeds', '100')
    .option('--from <number>', 'the first of them', '0')
    .option('--jobs <count>', 'processes that share the seeds', String(availableParallelism()))
    .option('--replay <tape>', 'run the tape that a failure has left behind')
    .option('--no-shrink', 'report a failure as it was found')
    .option('--report <file>', 'write the page that shows the run there, whether it fails or not')
    .option('--until <event>', 'end the run of --seed or --replay after so many events')
    .option(
      '--outcome <file>',
      'write there, as JSON, what was run and met, for who adds up several searches',
    )
    .option('--worker', 'run as one of the jobs of another process');
  command.parse(args, { from: 'user' });
  const options = command.opts<Options>();
  const parts: Parts = { sim: await import('@flotilla/sim'), scenario: await loadScenario(options.scenario) };
  const { edgesTaken } = await loadSimulations();
  if (options.worker === true) return await work(parts, edgesTaken);
  const reportOptions = reportOptionsOf(options);
  if (options.replay !== undefined)
    return await reportReplay({ ...parts, load: loadScenario }, options.replay, reportOptions);
  const plan = planOf(options);
  const start = performance.now();
  const outcome =
    plan.jobs === 1 ? await searchHere(parts, plan, edgesTaken) : await new JobSearch(plan).run();
  const seconds = (performance.now() - start) / 1000;
  print(summary(plan, outcome, seconds));
  if (options.outcome !== undefined) {
    writeFileSync(options.outcome, `${JSON.stringify({ scenario: plan.scenario, ...outcome })}\n`);
  }
  if (outcome.finding !== null) {
    await reportFinding(parts, outcome.finding, reportOptions);
    return 1;
  }
  if (options.seed !== undefined) await reportSeed(parts, plan.from, reportOptions);
  return 0;
}

interface Options {
  readonly scenario: string;
  readonly seed?: string;
  readonly seeds: string;
  readonly from: string;
  readonly jobs: string;
  readonly replay?: string;
  readonly shrink: boolean;
  readonly report?: string;
  readonly until?: string;
  readonly outcome?: string;
  readonly worker?: true;
}

interface Plan {
  readonly scenario: string;
  readonly from: number;
  readonly seeds: number;
  readonly jobs: number;
}

interface Outcome {
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  readonly repeated: number;
  readonly coverage: Readonly<Record<string, number>>;
  /** How often each transition of a life cycle was taken. */
  readonly edges: Readonly<Record<string, number>>;
  /** The lowest seed that failed. */
  readonly finding: Failure | null;
}

interface Simulations {
  readonly scenarios: ReadonlyMap<string, Sim.Scenario>;
  readonly edgesTaken: () => Readonly<Record<string, number>>;
}

/** Scenarios are part of the sources, beside `src`, and no part of a member: a published package has none. */
async function loadSimulations(): Promise<Simulations> {
  const path = fileURLToPath(new URL('../../simulation/index.ts', import.meta.url));
  if (!existsSync(path)) {
    throw new FlotillaError('FLOTILLA_USAGE', 'the simulations are part of a checkout of the sources');
  }
  return (await import(path)) as Simulations;
}

async function loadScenario(name: string): Promise<Sim.Scenario> {
  const { scenarios } = await loadSimulations();
  const scenario = scenarios.get(name);
  if (scenario === undefined) {
    const names = [...scenarios.keys()].join(', ');
    throw new FlotillaError('FLOTILLA_USAGE', `no scenario is named ${name}: there are ${names}`);
  }
  return scenario;
}

function planOf(options: Options): Plan {
  const { scenario } = options;
  if (options.seed !== undefined) {
    return { scenario, from: wholeNumber('--seed', options.seed), seeds: 1, jobs: 1 };
  }
  const seeds = wholeNumber('--seeds', options.seeds);
  const jobs = Math.max(1, Math.min(wholeNumber('--jobs', options.jobs), limits.simulationJobs, seeds));
  return { scenario, from: wholeNumber('--from', options.from), seeds, jobs };
}

function reportOptionsOf({ shrink, report, until, seed, replay }: Options): ReportOptions {
  if (until !== undefined && seed === undefined && replay === undefined) {
    throw new FlotillaError('FLOTILLA_USAGE', '--until goes with --seed or --replay: it ends one run');
  }
  return {
    shrink,
    path: report ?? null,
    until: until === undefined ? null : wholeNumber('--until', until),
  };
}

function wholeNumber(name: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new FlotillaError('FLOTILLA_USAGE', `${name} ${text}: must be a whole number below 1,000,000,000`);
}

type Edges = Simulations['edgesTaken'];

async function searchHere({ sim, scenario }: Parts, plan: Plan, edgesTaken: Edges): Promise<Outcome> {
  const progress = new Progress(plan);
  const exploration = await sim.explore({
    scenario,
    from: plan.from,
    seeds: plan.seeds,
    onSeed: (_seed, result) => progress.add(1, result.events),
  });
  return outcomeOf(exploration, edgesTaken());
}

function outcomeOf(exploration: Sim.Exploration, edges: Outcome['edges']): Outcome {
  const { seeds, events, simulatedMs, repeated, coverage, finding } = exploration;
  const counts = { seeds, events, simulatedMs, repeated };
  return { ...counts, coverage: coverage.toJSON(), edges, finding: failureOf(finding) };
}

/** Adds what one more job has counted, by name. */
function addCounts(sums: Map<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, times] of Object.entries(counts)) sums.set(name, (sums.get(name) ?? 0) + times);
}

function sorted(counts: ReadonlyMap<string, number>): Readonly<Record<string, number>> {
  return Object.fromEntries([...counts].sort((a, b) => (a[0] < b[0] ? -1 : 1)));
}

function failureOf(finding: Sim.Finding | null): Failure | null {
  if (finding === null || finding.result.violation === null) return null;
  const { name, message } = finding.result.violation;
  return { seed: finding.seed, name, message };
}

/** A piece of work for a job: seeds that follow one another. */
interface Assignment {
  readonly from: number;
  readonly seeds: number;
}

/** Runs seeds in child processes. Each asks for the next few when it has done its last: seeds differ in length. */
class JobSearch {
  readonly #plan: Plan;
  readonly #progress: Progress;
  readonly #jobs = new Set<ChildProcess>();
  readonly #coverage = new Map<string, number>();
  readonly #edges = new Map<string, number>();
  #next: number;
  #seeds = 0;
  #events = 0;
  #simulatedMs = 0;
  #repeated = 0;
  #finding: Failure | null = null;

  constructor(plan: Plan) {
    this.#plan = plan;
    this.#next = plan.from;
    this.#progress = new Progress(plan);
  }

  async run(): Promise<Outcome> {
    try {
      await Promise.all(Array.from({ length: this.#plan.jobs }, () => this.#job()));
    } finally {
      for (const job of this.#jobs) job.kill('SIGKILL');
    }
    return {
      seeds: this.#seeds,
      events: this.#events,
      simulatedMs: this.#simulatedMs,
      repeated: this.#repeated,
      coverage: sorted(this.#coverage),
      edges: sorted(this.#edges),
      finding: this.#finding,
    };
  }

  #job(): Promise<void> {
    return new Promise((resolve, reject) => {
      const launcher = fileURLToPath(new URL('../../bin/flotilla.js', import.meta.url));
      const job = fork(launcher, ['simulate', '--worker', '--scenario', this.#plan.scenario], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      this.#jobs.add(job);
      const assign = (): void => {
        const assignment = this.#take();
        if (assignment !== null) job.send(assignment);
        else job.disconnect();
      };
      job.on('message', (message) => {
        if (message !== 'ready') this.#add(message as Outcome);
        assign();
      });
      job.on('error', reject);
      job.on('exit', (code, signal) => {
        this.#jobs.delete(job);
        if (code === 0) resolve();
        else
          reject(
            new FlotillaError('FLOTILLA_SIMULATION_JOB', `a job ended with ${signal ?? `code ${code}`}`),
          );
      });
    });
  }

  /** After a failure only seeds below it are of interest: the lowest one is reported. */
  #take(): Assignment | null {
    const end = this.#finding?.seed ?? this.#plan.from + this.#plan.seeds;
    const seeds = Math.min(limits.simulationSeedsPerAssignment, end - this.#next);
    if (seeds <= 0) return null;
    const from = this.#next;
    this.#next += seeds;
    return { from, seeds };
  }

  #add(outcome: Outcome): void {
    this.#seeds += outcome.seeds;
    this.#events += outcome.events;
    this.#simulatedMs += outcome.simulatedMs;
    this.#repeated += outcome.repeated;
    addCounts(this.#coverage, outcome.coverage);
    addCounts(this.#edges, outcome.edges);
    const { finding } = outcome;
    if (finding !== null && (this.#finding === null || finding.seed < this.#finding.seed))
      this.#finding = finding;
    this.#progress.add(outcome.seeds, outcome.events);
  }
}

/** One of the jobs: runs what it is given until its parent lets go of it. */
function work({ sim, scenario }: Parts, edgesTaken: Edges): Promise<number> {
  let before: Readonly<Record<string, number>> = {};
  return new Promise((resolve, reject) => {
    process.on('disconnect', () => resolve(0));
    process.on('message', (message) => {
      const { from, seeds } = message as Assignment;
      sim.explore({ scenario, from, seeds }).then(
        (exploration) => {
          const edges = edgesTaken();
          const since = Object.entries(edges).map(([name, times]) => [name, times - (before[name] ?? 0)]);
          before = edges;
          process.send?.(outcomeOf(exploration, Object.fromEntries(since) as Outcome['edges']));
        },
        (error: unknown) => reject(error as Error),
      );
    });
    process.send?.('ready');
  });
}

/** A line on stderr now and then. */
class Progress {
  readonly #plan: Plan;
  readonly #start = performance.now();
  #nextReport: number = limits.simulationReportMs;
  #seeds = 0;
  #events = 0;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  add(seeds: number, events: number): void {
    this.#seeds += seeds;
    this.#events += events;
    const elapsed = performance.now() - this.#start;
    if (elapsed < this.#nextReport) return;
    this.#nextReport = elapsed + limits.simulationReportMs;
    const rate = Math.round(this.#events / (elapsed / 1000));
    process.stderr.write(
      `${grouped(this.#seeds)} of ${grouped(this.#plan.seeds)} seeds, ${grouped(rate)} events/s\n`,
    );
  }
}

function summary(plan: Plan, outcome: Outcome, seconds: number): string {
  const { seeds, events, simulatedMs, repeated, coverage } = outcome;
  const width = Math.max(0, ...Object.keys(coverage).map((name) => name.length));
  const rows = Object.entries(coverage).map(
    ([name, times]) => `  ${name.padEnd(width)} ${grouped(times).padStart(12)}`,
  );
  return [
    `scenario          ${plan.scenario}`,
    `seeds             ${grouped(seeds)} (from ${plan.from}; ${grouped(repeated)} made twice, trace hashes compared)`,
    `events            ${grouped(events)}`,
    `events per second ${grouped(Math.round(events / seconds))} in ${plan.jobs} process${plan.jobs === 1 ? '' : 'es'}`,
    `simulated time    ${duration(simulatedMs)} in ${duration(seconds * 1000)}`,
    'injected and met',
    ...rows,
    outcome.finding === null
      ? 'no violation'
      : `VIOLATION in seed ${outcome.finding.seed}: ${outcome.finding.name}`,
  ].join('\n');
}
