import { isFlotillaError } from '@flotilla/platform';
import { generatedTape, replayedTape } from '@flotilla/sim';
import type { RecordedTape } from '@flotilla/sim';
import { CoreCluster } from './cluster.ts';
import { Nemesis } from './nemesis.ts';
import { Operator } from './operator.ts';
import { Peace } from './peace.ts';
import { drawSettings } from './settings.ts';
import type { CoreSettings, Weather } from './settings.ts';
import { Violation } from './violation.ts';

export interface CoreRunResult {
  readonly violation: null | { readonly invariant: string; readonly message: string };
  /** Delivered messages, ticks, completions of the disk, client steps. */
  readonly events: number;
  readonly traceHash: string;
  readonly simulatedMs: number;
  readonly coverage: Readonly<Record<string, number>>;
  readonly settings: CoreSettings;
  readonly faults: readonly { readonly timeMs: number; readonly text: string }[];
  readonly tape: Uint32Array;
}

export interface CoreRunOptions {
  readonly weather?: Weather;
  /** Replaces what the tape says: to look at one circumstance, or to make a fixed benchmark. */
  readonly settings?: Partial<CoreSettings>;
}

/** One run, from a seed or from a tape of choices: faults, then peace, then everything must agree. */
export function runCoreSeed(
  seed: number | ArrayLike<number> | RecordedTape,
  options: CoreRunOptions = {},
): CoreRunResult {
  const tape = tapeOf(seed);
  const settings = { ...drawSettings(tape, options.weather), ...options.settings };
  const cluster = new CoreCluster(tape, settings);
  const violation = attempt(() => {
    // They only need to be there.
    new Nemesis(tape, cluster);
    new Operator(tape, cluster);
    cluster.startClients();
    while (cluster.events < settings.faultEvents && cluster.next());
    const peace = new Peace(cluster);
    peace.heal();
    peace.converge();
    peace.fallSilent();
  });
  return result(cluster, tape, violation);
}

function tapeOf(seed: number | ArrayLike<number> | RecordedTape): RecordedTape {
  if (typeof seed === 'number') return generatedTape(seed);
  return 'choose' in seed ? seed : replayedTape(seed);
}

/** The scenario of the core's mutations. */
export function run(seed: number): CoreRunResult {
  return runCoreSeed(seed);
}

function result(
  cluster: CoreCluster,
  tape: RecordedTape,
  violation: CoreRunResult['violation'],
): CoreRunResult {
  return {
    violation,
    events: cluster.events,
    traceHash: cluster.hash.toString(),
    simulatedMs: cluster.now,
    coverage: cluster.coverage.toJSON(),
    settings: cluster.settings,
    faults: cluster.faults,
    tape: tape.values(),
  };
}

/** An assertion of the core that fires is a violation too; anything else is a bug of the simulation. */
function attempt(run: () => void): CoreRunResult['violation'] {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof Violation) return { invariant: error.invariant, message: error.message };
    if (isFlotillaError(error, 'FLOTILLA_ASSERTION'))
      return { invariant: 'assertion', message: error.message };
    throw error;
  }
}
