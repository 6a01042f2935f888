import { assert } from '@flotilla/platform';
import { runScenario } from '../explore.ts';
import type { Finding } from '../explore.ts';
import { limits } from '../limits.ts';
import { renderReport } from '../report/report.ts';
import type { RunResult, Scenario } from '../scenario.ts';
import { shrink } from '../shrink.ts';
import { replayedTape } from '../tape.ts';
import type { TapeLanes } from '../tape.ts';
import { Recorder } from '../trace/recorder.ts';
import type { Violation } from '../world.ts';
import { SimulationFailure, faultsOf } from './simulation-failure.ts';
import { writePage, writeTape } from './tape-store.ts';

export interface FailureOptions {
  readonly shrinkMs?: number;
  readonly shrinkRuns?: number;
  readonly tapeDirectory?: string | null;
}

/** Shrinks what a search has found, leaves its tape behind, and makes it an error. */
export async function failureOf(
  scenario: Scenario,
  options: FailureOptions,
  seeded: boolean,
  finding: Finding,
): Promise<SimulationFailure> {
  const shrinkMs = options.shrinkMs ?? limits.shrinkRealMaxMs;
  const violation = violationOf(finding.result);
  const attemptsMax = options.shrinkRuns ?? limits.shrinkAttemptsMax;
  if (shrinkMs === 0 || attemptsMax === 0)
    return left(scenario, options, seeded, finding, 'it was not asked for');
  // Each attempt would have to wait for the watchdog.
  if (violation.name === 'stuck')
    return left(scenario, options, seeded, finding, 'it does not end by itself');
  if (violation.name === 'nondeterminism') return unshrunkFailure(scenario, finding, 'it does not repeat');
  const again = await runScenario(scenario, replayedTape(finding.lanes));
  if (again.violation?.name !== violation.name) {
    return unshrunkFailure(
      scenario,
      { ...finding, result: notRepeated(finding, again) },
      'it does not repeat',
    );
  }
  const smallest = await shrink({ scenario, lanes: finding.lanes, timeMaxMs: shrinkMs, attemptsMax });
  const { lanes, attempts } = smallest;
  const faultsBefore = faultsOf(finding.result).length;
  const tapePath = writeTape(options, scenario.name, finding.seed, violation.name, lanes);
  const words = `shrunk in ${attempts} runs from ${faultsBefore} to ${faultsOf(smallest.result).length} faults`;
  const reportPath =
    tapePath === null ? null : await writeReport(scenario, finding.seed, lanes, words, tapePath);
  return new SimulationFailure({
    name: scenario.name,
    seed: finding.seed,
    result: smallest.result,
    violation: violationOf(smallest.result),
    lanes,
    shrinking: { attempts, faultsBefore },
    notShrunk: '',
    tapePath,
    reportPath,
    seeded,
  });
}

/** Makes the run once more and writes down what happens in it, as a page for a browser. */
async function writeReport(
  scenario: Scenario,
  seed: number,
  lanes: TapeLanes,
  shrunk: string,
  tapePath: string,
): Promise<string | null> {
  const recorder = new Recorder();
  const result = await runScenario(scenario, replayedTape(lanes), { recorder });
  const replay = `FLOTILLA_SIM_REPLAY=${tapePath}`;
  const trace = recorder.trace(result);
  return writePage(tapePath, renderReport({ scenario: scenario.name, seed, result, trace, shrunk, replay }));
}

/** The failure as it is, with the reason why it is not a smaller one. */
export function unshrunkFailure(
  scenario: Scenario,
  finding: Finding,
  notShrunk: string,
  tapePath: string | null = null,
  seeded = false,
): SimulationFailure {
  return new SimulationFailure({
    name: scenario.name,
    seed: finding.seed,
    result: finding.result,
    violation: violationOf(finding.result),
    lanes: finding.lanes,
    shrinking: null,
    notShrunk,
    tapePath,
    reportPath: null,
    seeded,
  });
}

function left(
  scenario: Scenario,
  options: FailureOptions,
  seeded: boolean,
  finding: Finding,
  why: string,
): SimulationFailure {
  const { name } = violationOf(finding.result);
  const path = writeTape(options, scenario.name, finding.seed, name, finding.lanes);
  return unshrunkFailure(scenario, finding, why, path, seeded);
}

/** A run that fails once, and then not, or otherwise: the machine, not the tape, decides what happens in it. */
function notRepeated(finding: Finding, again: RunResult): RunResult {
  const first = violationOf(finding.result);
  const second = again.violation === null ? 'nothing' : `«${again.violation.name}»`;
  const message = `the same choices violated «${first.name}» (${first.message}) and, a second time, ${second}: something outside of the simulation has a say`;
  return { ...finding.result, violation: { ...first, name: 'nondeterminism', message } };
}

function violationOf(result: RunResult): Violation {
  assert(result.violation !== null, 'a finding has a violation');
  return result.violation;
}
