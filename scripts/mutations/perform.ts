import { parentPort, workerData } from 'node:worker_threads';
import { loadedMark, type Job, type JobResult } from './job.ts';
import type { Patch, Scenario } from './mutation.ts';

/** What runs in a job's thread: seeds of the scenario, up to the first violation. */
export function perform(scenario: Scenario): void {
  result(scenario, workerData as Job).then(
    (done) => parentPort?.postMessage(done),
    (error: unknown) => {
      throw error;
    },
  );
}

async function result(scenario: Scenario, job: Job): Promise<JobResult> {
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1_000;
  let seedsTried = 0;
  for (const seed of job.seeds) {
    if (seedsTried > 0 && seconds() > job.secondsMax) break;
    seedsTried += 1;
    const violation = await violationOf(scenario, seed);
    const missing = unloaded(job.patches);
    if (missing !== undefined) {
      return { type: 'broken', message: `${job.scenario} does not load ${missing}` };
    }
    if (violation !== null) return { type: 'caught', ...violation, seed, seedsTried, seconds: seconds() };
  }
  return { type: 'clean', seedsTried, seconds: seconds(), timedOut: seedsTried < job.seeds.length };
}

/** A patched file that nothing has imported. */
export function unloaded(patches: readonly Patch[]): string | undefined {
  const loaded = (globalThis as { readonly [loadedMark]?: readonly string[] })[loadedMark] ?? [];
  return patches.find(({ file }) => !loaded.includes(file))?.file;
}

async function violationOf(
  scenario: Scenario,
  seed: number,
): Promise<{ invariant: string; message: string } | null> {
  try {
    const { violation } = await scenario.run(seed);
    return violation === null ? null : { invariant: violation.invariant, message: violation.message };
  } catch (error) {
    return { invariant: 'assertion', message: describe(error) };
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
