import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { bundle } from './bundle.ts';
import type { Broken, Job, JobResult } from './job.ts';
import type { Patch } from './mutation.ts';

/** A seed that takes longer than this beyond the job's time is stuck, not slow. */
const graceSeconds = 60;

/** Runs jobs in threads of their own, a few at a time; results in the order of the jobs. */
export async function runJobs(
  jobs: readonly Job[],
  parallel: number,
  onResult: (index: number, result: JobResult) => void = () => {},
): Promise<JobResult[]> {
  const results: JobResult[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < jobs.length; index = next++) {
      const result = await runJob(jobs[index]!);
      results[index] = result;
      onResult(index, result);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return results;
}

function runJob(job: Job): Promise<JobResult> {
  const entry = `
    import { perform } from './scripts/mutations/perform.ts';
    import * as scenario from './${job.scenario}';
    perform(scenario);
  `;
  return runInThread<JobResult>({ entry, patches: job.patches, data: job, secondsMax: job.secondsMax });
}

export interface ThreadOptions {
  /** The text of the module that the thread runs; it posts one message, its result. */
  readonly entry: string;
  readonly patches: readonly Patch[];
  /** What the thread is given as `workerData`. */
  readonly data: unknown;
  readonly secondsMax: number;
}

/** Runs patched code in a thread of its own. */
export async function runInThread<Result>(options: ThreadOptions): Promise<Result | Broken> {
  let file: string;
  try {
    file = await bundle(options.entry, options.patches);
  } catch (error) {
    return { type: 'broken', message: `the patched code does not build: ${String(error)}` };
  }
  const thread = new Worker(file, { workerData: options.data, stdout: true });
  try {
    return await resultOf<Result>(thread, options.secondsMax + graceSeconds);
  } finally {
    await thread.terminate();
    rmSync(dirname(file), { recursive: true, force: true });
  }
}

function resultOf<Result>(thread: Worker, secondsMax: number): Promise<Result | Broken> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve({ type: 'broken', message: `a seed was stuck: no result after ${secondsMax} s` });
    }, secondsMax * 1_000);
    const settle = (result: Result | Broken): void => {
      clearTimeout(timer);
      resolve(result);
    };
    thread.once('message', settle);
    thread.once('error', (error) => settle({ type: 'broken', message: error.stack ?? error.message }));
    thread.once('exit', (code) => settle({ type: 'broken', message: `the thread ended with ${code}` }));
  });
}
