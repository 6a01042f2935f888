import type { RunResult } from '../scenario.ts';
import type { RecordedTape, Tape } from '../tape.ts';

/** What a strategy may know of the run that its tape is for. */
export interface RunView {
  /** Events so far; 0 while the run is being set up. */
  readonly events: number;
  readonly nodes: ReadonlyMap<string, unknown>;
  /** Whose event is happening, or null for one of the world itself. */
  readonly current: { readonly node: { readonly name: string } } | null;
}

/** A tape that decides with a look at the run, and whose answers are fair from some point on. */
export interface StrategyTape extends RecordedTape {
  /** Called once, before anything is drawn that depends on the run. */
  attach?(view: RunView): void;
  /**
   * The faults are over. From here on nobody may be starved: what is to happen in the end needs a fair schedule, and
   * an unfair one would fail every program.
   */
  beginFairSuffix?(): void;
}

/** Chooses the next run of a search. */
export interface Strategy {
  readonly name: string;
  /** Whether a seed alone repeats its run. Otherwise only the recorded tape does. */
  readonly seeded: boolean;
  /** The tape of the next run; null: there is no other one, all have been made. */
  next(seed: number): StrategyTape | null;
  /** What became of it. */
  learn?(tape: StrategyTape, result: RunResult): void;
}

/** Tells the tape of a strategy about its run. Other tapes do not care. */
export function attachTape(tape: Tape, view: RunView): void {
  (tape as Partial<StrategyTape>).attach?.(view);
}

export function beginFairSuffix(tape: Tape): void {
  (tape as Partial<StrategyTape>).beginFairSuffix?.();
}
