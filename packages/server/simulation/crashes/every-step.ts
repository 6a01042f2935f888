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
 * `named`: every step by name where it comes first; a crash before one is left out, as it follows another.
 */
export async function crashAtEveryStep(
  operation: Operation,
  seed: number,
  which: 'every' | 'named',
): Promise<EveryStep> {
  const clean = await operation(seed, 0);
  const broken: Broken[] = [];
  const isTried = (name: string, index: number): boolean =>
    which === 'every' || (!name.startsWith('before') && clean.steps.indexOf(name as never) === index);
  const places = clean.steps.flatMap((name, index) => (isTried(name, index) ? [index + 1] : []));
  for (const at of places) {
    const step = `step ${at} of seed ${seed}: ${clean.steps[at - 1]}`;
    try {
      const { outcome, crashedAt } = await operation(seed, at);
      if (crashedAt !== clean.steps[at - 1]) broken.push({ step, message: `crashed at ${crashedAt}` });
      else if (outcome !== clean.outcome) broken.push({ step, message: `${outcome}, not ${clean.outcome}` });
    } catch (error) {
      broken.push({ step, message: error instanceof Error ? error.message : String(error) });
    }
  }
  return { steps: clean.steps, tried: places.length, broken };
}
