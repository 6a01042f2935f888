import type { FaultRecord } from './fault-log.ts';
import type { Tape } from './tape.ts';
import type { UncontrolledUse, Violation, World } from './world.ts';

/** What one run was. Everything in it is a function of the tape. */
export interface RunResult {
  /** Null: nothing was found. */
  readonly violation: Violation | null;
  readonly events: number;
  readonly simulatedMs: number;
  /** Equal for equal tapes, or something reached around the platform. */
  readonly traceHash: string;
  /** How often what was injected, met or done. */
  readonly coverage: Readonly<Record<string, number>>;
  readonly faults: readonly FaultRecord[];
  /** What programs have used that the simulation has no say in: with it, equal tapes may give different runs. */
  readonly uncontrolled?: readonly UncontrolledUse[];
}

/**
 * What has become of a world by now: for scenarios whose runs are one world each.
 *
 * @example
 * world.end();
 * return resultOf(world);
 */
export function resultOf(world: World): RunResult {
  return {
    violation: world.violation,
    events: world.events,
    simulatedMs: world.now,
    traceHash: world.hash.toString(),
    coverage: world.coverage.toJSON(),
    faults: world.faults,
    ...(world.uncontrolled.length === 0 ? {} : { uncontrolled: world.uncontrolled }),
  };
}

/** A simulated experiment: a world, what happens in it, and what must hold. Synchronous and deterministic. */
export interface Scenario {
  readonly name: string;
  run(tape: Tape): RunResult;
}
