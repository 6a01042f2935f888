import { FlotillaError } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import { describeFaults, inSeconds } from '../fault-log.ts';
import type { FaultRecord } from '../fault-log.ts';
import type { RunResult } from '../scenario.ts';
import type { TapeLanes } from '../tape.ts';
import { describeUncontrolled } from '../world.ts';
import type { UncontrolledUse, Violation } from '../world.ts';

/** What a failing search knows. */
export interface FailureFacts {
  readonly name: string;
  readonly seed: number;
  /** The smallest run found that fails in the same way. */
  readonly result: RunResult;
  readonly violation: Violation;
  readonly lanes: TapeLanes;
  /** Null: it was not shrunk, and this says why. */
  readonly shrinking: { readonly attempts: number; readonly faultsBefore: number } | null;
  readonly notShrunk: string;
  readonly tapePath: string | null;
  /** The page to look at. */
  readonly reportPath: string | null;
  /** Whether the seed alone repeats the run that failed first. */
  readonly seeded: boolean;
}

/**
 * The one error of a simulation that has found something: what was violated, the faults that it takes in words, and how
 * to see it again. What the machinery itself has found has a code of its own; see `docs/errors.md`.
 */
export class SimulationFailure extends FlotillaError {
  override readonly name = 'SimulationFailure';
  readonly seed: number;
  readonly violation: Violation;
  /** Of the shrunk run, without those that only end others. */
  readonly faults: readonly FaultRecord[];
  readonly result: RunResult;
  /** Repeats the shrunk run: `replayedTape(lanes)`. */
  readonly lanes: TapeLanes;
  readonly tapePath: string | null;
  readonly reportPath: string | null;
  /** What a program used that the simulation does not control: each may be why a run does not repeat. */
  readonly uncontrolled: readonly UncontrolledUse[];

  constructor(facts: FailureFacts) {
    super(codeOf(facts.violation), describe(facts));
    this.seed = facts.seed;
    this.violation = facts.violation;
    this.faults = faultsOf(facts.result);
    this.result = facts.result;
    this.lanes = facts.lanes;
    this.tapePath = facts.tapePath;
    this.reportPath = facts.reportPath;
    this.uncontrolled = facts.result.uncontrolled ?? [];
    // Where this was thrown explains nothing; where the violation was found may.
    this.stack = `${this.name}: ${this.message}${ownFrames(facts.violation.stack)}`;
  }
}

/** The faults of a run, without what the end of the faults itself records. */
export function faultsOf(result: RunResult): readonly FaultRecord[] {
  return result.faults.filter(({ text }) => text !== 'heal everything');
}

const codes: ReadonlyMap<string, ErrorCode> = new Map([
  ['livelock', 'FLOTILLA_SIMULATION_LIVELOCK'],
  ['endless', 'FLOTILLA_SIMULATION_ENDLESS'],
  ['stuck', 'FLOTILLA_SIMULATION_STUCK'],
  ['unbounded queue', 'FLOTILLA_SIMULATION_QUEUE'],
  ['nondeterminism', 'FLOTILLA_SIMULATION_NONDETERMINISM'],
]);

/** Codes of errors that are about the simulation, not about the program's own. */
const ownCodes = /^FLOTILLA_(ESCAPED_SIMULATION|MONITOR_|PROGRAM_|SIMULATION_|INVALID_ARGUMENT|TAPE_)/;

function codeOf(violation: Violation): ErrorCode {
  const { name } = violation;
  if (ownCodes.test(name)) return name as ErrorCode;
  return codes.get(name) ?? 'FLOTILLA_SIMULATION_FAILED';
}

function describe(facts: FailureFacts): string {
  const { name, seed, violation, result, shrinking, tapePath } = facts;
  const where = violation.node === null ? '' : ` at ${violation.node}`;
  const faults = faultsOf(result);
  const lines = [
    `simulation «${name}», seed ${seed}: ${violation.name}`,
    violation.message,
    `(found${where} after ${inSeconds(violation.timeMs)} of simulated time, event ${violation.event}${firstFrame(violation.stack)})`,
    '',
    shrinking === null
      ? `not shrunk: ${facts.notShrunk}; it had ${counted(faults.length)}:`
      : `shrunk in ${shrinking.attempts} runs from ${counted(shrinking.faultsBefore)} to ${faults.length}:`,
    describeFaults(faults),
    '',
  ];
  const allowed = result.uncontrolled?.filter((use) => use.allowed) ?? [];
  if (allowed.length > 0) lines.push(describeUncontrolled(allowed), '');
  if (facts.reportPath !== null) lines.push(`report:  ${facts.reportPath} (open it in a browser)`);
  if (tapePath !== null) {
    lines.push(`tape:    ${tapePath}`);
    lines.push(
      `replay:  FLOTILLA_SIM_REPLAY=${tapePath} before the same command, or simulate({ replay: '${tapePath}', … })`,
    );
  }
  if (facts.seeded)
    lines.push(`seed:    FLOTILLA_SIM_SEED=${seed} before the same command runs the whole seed alone`);
  return lines.join('\n');
}

function counted(faults: number): string {
  return faults === 1 ? '1 fault' : `${faults} faults`;
}

/** Where in the program it was found, as the first frame that is neither ours nor Node's. */
function firstFrame(stack: string | null): string {
  const frame = stack?.split('\n').find((line) => isProgramFrame(line));
  return frame === undefined ? '' : `, ${frame.trim()}`;
}

function isProgramFrame(line: string): boolean {
  if (!/^\s+at /.test(line)) return false;
  return !/node:|[\\/]sim[\\/](src|dist)[\\/](?!examples)[^\s]*\.[jt]s|[\\/]platform[\\/](src|dist)[\\/]/.test(
    line,
  );
}

function ownFrames(stack: string | null): string {
  const frames = stack?.split('\n').filter((line) => /^\s+at /.test(line)) ?? [];
  return frames.length === 0 ? '' : `\n${frames.join('\n')}`;
}
