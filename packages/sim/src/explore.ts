import { Coverage } from './coverage.ts';
import { fromEventLoop } from './drain.ts';
import { enterSimulation, leaveSimulation } from './escape-detector.ts';
import type { RunResult, Scenario } from './scenario.ts';
import { randomStrategy } from './strategies/random.ts';
import type { Strategy } from './strategies/strategy.ts';
import { replayedTape } from './tape.ts';
import type { RecordedTape, Tape, TapeLanes } from './tape.ts';
import type { Recorder } from './trace/recorder.ts';
import { withRecorder } from './trace/recording.ts';

export interface ExploreOptions {
  readonly scenario: Scenario;
  /** Chooses the runs; by default each seed's own tape. */
  readonly strategy?: Strategy;
  /** The first seed, and how many. */
  readonly from: number;
  readonly seeds: number;
  /** From one seed to the next; workers that share a search take every n-th. */
  readonly step?: number;
  /** Every so many seeds a run is made twice and the trace hashes are compared. 0: never. */
  readonly repeatEvery?: number;
  /** Called after each seed. Answering false ends the search. */
  readonly onSeed?: (seed: number, result: RunResult) => boolean | void;
}

export interface RunOptions {
  /** Writes the run down. */
  readonly recorder?: Recorder;
}

export interface Finding {
  readonly seed: number;
  readonly result: RunResult;
  readonly lanes: TapeLanes;
}

export interface Exploration {
  readonly seeds: number;
  readonly events: number;
  readonly simulatedMs: number;
  /** Runs that were made a second time. */
  readonly repeated: number;
  readonly coverage: Coverage;
  /** The strategy has made every run that there is. */
  readonly exhausted: boolean;
  /** The first violation; the search ends with it. */
  readonly finding: Finding | null;
}

/**
 * Runs a scenario with one seed after the other until one violates something.
 *
 * @example
 * const { finding } = await explore({ scenario, from: 0, seeds: 1000 });
 * if (finding !== null) console.log(describeFaults(finding.result.faults));
 */
export async function explore(options: ExploreOptions): Promise<Exploration> {
  const { scenario, strategy = randomStrategy(), step = 1, repeatEvery = 100 } = options;
  const coverage = new Coverage();
  let [seeds, events, simulatedMs, repeated] = [0, 0, 0, 0];
  let [finding, exhausted]: [Finding | null, boolean] = [null, false];
  for (let i = 0; i < options.seeds; i += 1) {
    const seed = options.from + i * step;
    const tape = strategy.next(seed);
    if (tape === null) {
      exhausted = true;
      break;
    }
    let result = await runScenario(scenario, tape);
    if (repeatEvery > 0 && seed % repeatEvery === 0 && result.violation === null) {
      repeated += 1;
      result = comparedWith(result, await runScenario(scenario, replayedTape(tape.values())));
    }
    seeds += 1;
    events += result.events;
    simulatedMs += result.simulatedMs;
    coverage.add(result.coverage);
    strategy.learn?.(tape, result);
    const goOn = options.onSeed?.(seed, result) !== false;
    if (result.violation !== null) finding = { seed, result, lanes: tape.lanes() };
    if (!goOn || finding !== null) break;
  }
  return { seeds, events, simulatedMs, repeated, coverage, exhausted, finding };
}

/** One run, from the event loop and with the guards of the escape detector up throughout. */
export function runScenario(
  scenario: Scenario,
  tape: Tape | RecordedTape,
  options: RunOptions = {},
): Promise<RunResult> {
  return fromEventLoop(() => {
    enterSimulation();
    try {
      return withRecorder(options.recorder ?? null, () => scenario.run(tape));
    } finally {
      leaveSimulation();
    }
  });
}

/** `result`, or a violation when the second run of the same seed was another one. */
function comparedWith(result: RunResult, second: RunResult): RunResult {
  if (second.traceHash === result.traceHash && second.events === result.events) return result;
  // It was broken off by the clock of the machine, which says nothing about what it would have been.
  if (second.violation?.name === 'stuck') return second;
  return {
    ...result,
    violation: {
      name: 'nondeterminism',
      message: `two runs of one seed differ: ${result.events} events and hash ${result.traceHash}, then ${second.events} and ${second.traceHash}`,
      node: null,
      timeMs: result.simulatedMs,
      event: result.events,
      stack: null,
    },
  };
}
