// One child process of the mutation runner: patches at most one module, then runs seeds of one scenario.
import { register } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { transform } from 'esbuild';
import type { Job, JobResult } from './job.ts';
import type { Scenario } from './mutation.ts';
import { applyMutation, repository } from './registry.ts';

const loadedMark = '__flotillaMutationLoaded';

process.once('message', (job: Job) => {
  void perform(job)
    .catch((error: unknown): JobResult => ({ type: 'broken', message: describe(error) }))
    .then((result) => process.send?.(result, () => process.exit(0)));
});

async function perform(job: Job): Promise<JobResult> {
  if (job.mutation !== null) await patch(job.mutation);
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1_000;
  const scenario = (await import(pathToFileURL(join(repository, job.scenario)).href)) as Scenario;
  let seedsTried = 0;
  for (const seed of job.seeds) {
    if (seedsTried > 0 && seconds() > job.secondsMax) break;
    seedsTried += 1;
    const violation = await violationOf(scenario, seed);
    if (job.mutation !== null && !(loadedMark in globalThis)) {
      return { type: 'broken', message: `${job.scenario} does not load ${job.mutation.file}` };
    }
    if (violation !== null) return { type: 'caught', ...violation, seed, seedsTried, seconds: seconds() };
  }
  return { type: 'clean', seedsTried, seconds: seconds(), timedOut: seedsTried < job.seeds.length };
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

/** Lets a module hook serve the patched text; everything else is loaded as always. */
async function patch(mutation: NonNullable<Job['mutation']>): Promise<void> {
  const { code } = await transform(applyMutation(mutation), {
    loader: 'ts',
    format: 'esm',
    target: 'es2022',
    sourcemap: 'inline',
    sourcefile: join(repository, mutation.file),
  });
  const url = pathToFileURL(join(repository, mutation.file)).href;
  const source = `globalThis.${loadedMark} = true;${code}`;
  register('./hook.mjs', { parentURL: import.meta.url, data: { url, source } });
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
