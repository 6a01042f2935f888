import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Job, JobResult } from './job.ts';
import { repository } from './registry.ts';

/** A seed that takes longer than this beyond the job's time is stuck, not slow. */
const graceSeconds = 60;

/** Runs jobs in child processes, a few at a time; results in the order of the jobs. */
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
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [], {
    cwd: repository,
    execArgv: ['--import', 'tsx', '--enable-source-maps'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let errors = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors = (errors + text).slice(-2_000);
  });
  return new Promise((resolve) => {
    const seconds = job.secondsMax + graceSeconds;
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      resolve({ type: 'broken', message: `a seed was stuck: no result after ${seconds} s` });
    }, seconds * 1_000);
    child.once('message', (result: JobResult) => {
      clearTimeout(timer);
      resolve(result);
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve({ type: 'broken', message: `the child ended with ${signal ?? code}: ${errors}` });
    });
    child.send(job);
  });
}
