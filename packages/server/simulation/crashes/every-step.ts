import type { CrashRun, Operation } from './operations.ts';

/** What a run of an operation found that did not end as the one that nothing disturbed. */
export interface Broken {
  readonly step: string;
  readonly message: string;
}

export interface EveryStep {
  /** In a run that nothing disturbs. */
  readonly steps: CrashRun['steps'];
  readonly tried: number;
  readonly broken: readonly Broken[];
}

/**
 * Crashes an operation at each of its steps, one run for each, and holds the end of each run to the undisturbed one.
 * `named`: every step by name where it comes first; a crash before one is left out, as it follows another. A number: so
 * many, evenly spread.
 */
export async function crashAtEveryStep(
  operation: Operation,
  seed: number,
  which: 'every' | 'named' | number,
): Promise<EveryStep> {
  const clean = await operation(seed, 0);
  const broken: Broken[] = [];
  const places = placesOf(clean.steps, which);
  for (const place of places) {
    const { at } = place;
    const step = `step ${at} of seed ${seed}: ${clean.steps[at - 1]}${place.lateMs > 0 ? ', and a little later' : ''}`;
    try {
      const { outcome, crashedAt } = await operation(seed, at, place.lateMs);
      if (crashedAt !== clean.steps[at - 1]) broken.push({ step, message: `crashed at ${crashedAt}` });
      else if (outcome !== clean.outcome) broken.push({ step, message: `${outcome}, not ${clean.outcome}` });
    } catch (error) {
      broken.push({ step, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { steps: clean.steps, tried: places.length, broken };
}

interface Place {
  /** Counted from 1. */
  readonly at: number;
  readonly lateMs: number;
}

function placesOf(steps: CrashRun['steps'], which: 'every' | 'named' | number): readonly Place[] {
  if (typeof which === 'number') {
    return Array.from({ length: which }, (_, turn) => ({
      at: Math.ceil(((turn + 0.5) / which) * steps.length),
      lateMs: 0,
    }));
  }
  const isTried = (name: string, index: number): boolean =>
    which === 'every' || (!name.startsWith('before') && steps.indexOf(name as never) === index);
  const writes = steps.flatMap((name, index) => (name === 'after write the log' ? [index + 1] : []));
  return [
    ...steps.flatMap((name, index) => (isTried(name, index) ? [{ at: index + 1, lateMs: 0 }] : [])),
    // Whatever is answered while the sync is under way.
    ...writes.slice(0, which === 'every' ? writes.length : 3).map((at) => ({ at, lateMs })),
  ];
}

/** Less than a sync takes, and more than an answer is on its way. */
const lateMs = 2.5;
