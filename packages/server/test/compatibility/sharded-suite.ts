// The suite of the single-shard database on a cluster that never keeps still: five nodes, sixteen shards, which are split,
// merged and moved, and whose leaders change, all the while.
//
//   npm run soak:sharded-suite                      all of it
//   npm run soak:sharded-suite -- lease auth        files whose name has one of these in it
//   npm run soak:sharded-suite -- --topology 3x4    other clusters
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { ChurnReport } from '../support/sharded/churning-shards.ts';
import { describeChurn } from '../support/sharded/describe-churn.ts';
import { led, leftOut, leftOutTests, suite, timed } from '../support/sharded/suite.ts';
import { sumOf } from '../support/sharded/sum-of-churn.ts';

interface FileResult {
  readonly passed: number;
  readonly failed: readonly string[];
  readonly skipped: number;
  readonly churn: ChurnReport;
  readonly seconds: number;
  /** What there is to read when it failed. */
  readonly output: string;
}

const root = fileURLToPath(new URL('../../../../', import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { topology: { type: 'string', default: '5x16-churn' } },
});

const files = suite.filter(
  (file) => positionals.length === 0 || positionals.some((part) => file.includes(part)),
);
const results: FileResult[] = [];
for (const file of files) {
  const result = await runFile(file);
  results.push(result);
  const { passed, failed, skipped, churn, seconds } = result;
  const { split, merge, move, transfer } = churn.done;
  const outcome = failed.length === 0 ? 'passed' : 'FAILED';
  const counts = `${passed} passed, ${failed.length} failed${skipped > 0 ? `, ${skipped} left out` : ''}`;
  const changes = `${split} splits, ${merge} merges, ${move} moves, ${transfer} leaders`;
  console.log(`${outcome} ${file}: ${counts}; ${changes}; ${seconds.toFixed(0)} s`);
  for (const name of failed) console.log(`    ${name}`);
  if (failed.length > 0) console.log(result.output);
}
const failed = results.flatMap((result) => result.failed);
console.log(`${results.reduce((sum, { passed }) => sum + passed, 0)} passed, ${failed.length} failed`);
console.log(describeChurn(sumOf(results.map(({ churn }) => churn))));
if (positionals.length === 0) {
  console.log('not of it:');
  for (const [file, reason] of leftOut) console.log(`    ${file}: ${reason}`);
  for (const [file, test, reason] of leftOutTests) console.log(`    ${file}, ${test}: ${reason}`);
}
process.exitCode = failed.length === 0 ? 0 : 1;

async function runFile(file: string): Promise<FileResult> {
  const directory = mkdtempSync(join(tmpdir(), 'flotilla-suite-'));
  const reportFile = join(directory, 'churn');
  const resultFile = join(directory, 'results.json');
  const startMs = performance.now();
  const child = spawn(
    process.execPath,
    [
      join(root, 'node_modules/vitest/vitest.mjs'),
      'run',
      file,
      '--reporter=json',
      '--reporter=default',
      `--outputFile.json=${resultFile}`,
      // Shards that move answer later, and a machine that is busy later still.
      '--testTimeout=300000',
      '--hookTimeout=300000',
      ...withoutTests(file),
    ],
    {
      cwd: root,
      env: { ...process.env, FLOTILLA_TOPOLOGY: topologyFor(file), FLOTILLA_CHURN_REPORT: reportFile },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  try {
    const churn = sumOf(existsSync(reportFile) ? reportsOf(readFileSync(reportFile, 'utf8')) : []);
    const seconds = (performance.now() - startMs) / 1000;
    return { ...outcomesOf(resultFile, code), churn, seconds, output };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function topologyFor(file: string): string {
  const topology = led.has(file) ? values.topology.replace(/-churn$/, '-churn-led') : values.topology;
  return timed.has(file) || topology.endsWith('-patient') ? topology : `${topology}-patient`;
}

function withoutTests(file: string): string[] {
  const names = leftOutTests.flatMap(([its, name]) => (its === file ? [name] : []));
  return names.length === 0 ? [] : ['--testNamePattern', `^(?!.*(${names.join('|')})$)`];
}

function reportsOf(lines: string): ChurnReport[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as ChurnReport);
}

function outcomesOf(
  resultFile: string,
  code: number | null,
): Pick<FileResult, 'failed' | 'passed' | 'skipped'> {
  if (!existsSync(resultFile)) return { passed: 0, failed: [`vitest ended with ${code}`], skipped: 0 };
  const { testResults } = JSON.parse(readFileSync(resultFile, 'utf8')) as {
    readonly testResults: readonly {
      readonly message: string;
      readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
    }[];
  };
  const tests = testResults.flatMap(({ assertionResults }) => assertionResults);
  const of = (status: string): string[] =>
    tests.filter((test) => test.status === status).map(({ fullName }) => fullName);
  const failed = of('failed');
  // A hook, or an error that no test has awaited.
  if (code !== 0 && failed.length === 0)
    failed.push(`vitest ended with ${code}: ${testResults[0]?.message ?? ''}`);
  return {
    passed: of('passed').length,
    failed,
    skipped: tests.length - of('passed').length - of('failed').length,
  };
}
