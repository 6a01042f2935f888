import { readFileSync, writeFileSync } from 'node:fs';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { limits } from '../limits.ts';
import type { Sim } from './simulate.ts';
import { counted, duration, grouped, print } from './simulate-words.ts';

/** A seed that violated something. */
export interface Failure {
  readonly seed: number;
  readonly name: string;
  readonly message: string;
}

export interface Parts {
  readonly sim: typeof Sim;
  readonly scenario: Sim.Scenario;
}

export interface ReportOptions {
  readonly shrink: boolean;
  /** Where the page goes; null: beside the tape of a failure, and nowhere without one. */
  readonly path: string | null;
  /** The run ends after this event; null: when it is over. */
  readonly until: number | null;
}

/** A failure: shrunk, in words, with its tape and its page in files. */
export async function reportFinding(parts: Parts, failure: Failure, options: ReportOptions): Promise<void> {
  const { sim, scenario } = parts;
  print(`\n${failure.message}\n`);
  const tape = sim.generatedTape(failure.seed);
  let result = await sim.runScenario(scenario, tape);
  if (result.violation === null) {
    // The second run of a seed that is made twice differed from the first: there is no tape for that.
    print(`the seed fails only sometimes: something reaches around the platform`);
    return;
  }
  let lanes = tape.lanes();
  let shrunk: string | null = null;
  if (options.shrink) {
    const before = faultsOf(result);
    const smallest = await sim.shrink({ scenario, lanes, timeMaxMs: limits.simulationShrinkMs });
    ({ lanes, result } = smallest);
    const { attempts, choicesBefore, choicesLeft } = smallest;
    shrunk = `shrunk in ${counted(attempts, 'run')} from ${counted(before, 'fault')} and ${counted(choicesBefore, 'choice')} to ${counted(faultsOf(result), 'fault')} and ${counted(choicesLeft, 'choice')}`;
    print(`${shrunk}:`);
    print(`${result.violation?.message ?? failure.message}\n`);
  }
  const { seed, name } = failure;
  const files = `flotilla-${scenario.name}-${seed}`;
  const replay = `npx flotilla simulate --scenario ${scenario.name} --replay ${files}.tape.json`;
  const page = await recordedRun(parts, sim.replayedTape(lanes), { seed, shrunk, replay }, options);
  print(page.story);
  writeFileSync(
    `${files}.tape.json`,
    sim.encodeTape({ scenario: scenario.name, seed, violation: name, lanes }),
  );
  const path = options.path ?? `${files}.report.html`;
  writeFileSync(path, page.html);
  print(`\nreport:      ${path} (open it in a browser)`);
  print(`replay:      ${replay}`);
  print(`whole seed:  npx flotilla simulate --scenario ${scenario.name} --seed ${seed}`);
}

/** The page of a seed that violates nothing, where one was asked for. */
export async function reportSeed(parts: Parts, seed: number, options: ReportOptions): Promise<void> {
  if (options.path === null) return;
  const replay = `npx flotilla simulate --scenario ${parts.scenario.name} --seed ${seed}`;
  const { html } = await recordedRun(
    parts,
    parts.sim.generatedTape(seed),
    { seed, shrunk: null, replay },
    options,
  );
  writeFileSync(options.path, html);
  print(`report: ${options.path} (open it in a browser)`);
}

/** Repeats the run of a tape file and tells of it; the exit code. */
export async function reportReplay(
  parts: Parts & { readonly load: (scenario: string) => Promise<Sim.Scenario> },
  path: string,
  options: ReportOptions,
): Promise<number> {
  const { sim, scenario, load } = parts;
  const tape = sim.decodeTape(readTape(path));
  const named = tape.scenario === scenario.name ? scenario : await load(tape.scenario);
  const replay = `npx flotilla simulate --scenario ${named.name} --replay ${path}`;
  const { result, story, html } = await recordedRun(
    { sim, scenario: named },
    sim.replayedTape(tape.lanes),
    { seed: tape.seed, shrunk: null, replay },
    options,
  );
  print(
    `${grouped(result.events)} events, ${duration(result.simulatedMs)} simulated, trace hash ${result.traceHash}`,
  );
  print(story);
  if (options.path !== null) {
    writeFileSync(options.path, html);
    print(`report: ${options.path} (open it in a browser)`);
  }
  if (result.violation === null) {
    print(`no violation; the tape was recorded for: ${tape.violation}`);
    return 0;
  }
  const { name, message, stack } = result.violation;
  print(`VIOLATION ${name}: ${message}`);
  if (stack !== null) print(stack);
  return 1;
}

/** One more run, written down: what was done to it in words, and the page. */
async function recordedRun(
  { sim, scenario }: Parts,
  tape: Sim.Tape,
  about: Pick<Sim.Report, 'seed' | 'shrunk' | 'replay'>,
  options: ReportOptions,
): Promise<{ readonly result: Sim.RunResult; readonly story: string; readonly html: string }> {
  const recorder = new sim.Recorder(options.until === null ? {} : { untilEvent: options.until });
  const result = await sim.runScenario(scenario, tape, { recorder });
  const trace = recorder.trace(result);
  const html = sim.renderReport({ scenario: scenario.name, result, trace, ...about });
  return { result, story: sim.describeStory(sim.storyOf(trace)), html };
}

/** What the nemesis did; that it ended is no fault. */
function faultsOf(result: Sim.RunResult): number {
  return result.faults.filter(({ text }) => text !== 'heal everything').length;
}

function readTape(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new FlotillaError('FLOTILLA_USAGE', `cannot read the tape: ${messageOf(error)}`);
  }
}
