import { spawnSync } from 'node:child_process';
import type { BenchReport } from '../src/cli/bench/settings.ts';
import { launcher } from './clusters.ts';

export type Report = BenchReport;

/** `flotilla bench` in a process of its own, so that one measurement's garbage does not slow the next. */
export function bench(args: readonly string[]): Report {
  const done = spawnSync(process.execPath, [launcher, 'bench', ...args], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`bench ${args.join(' ')} failed: ${done.stderr}`);
  const report = JSON.parse(done.stdout) as Report;
  if (report.errors > 0)
    process.stderr.write(`bench ${args[0]}: ${report.errors} errors (${report.error})\n`);
  return report;
}
