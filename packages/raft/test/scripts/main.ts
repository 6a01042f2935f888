import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { exceptions } from './exceptions.ts';
import { atLeast, grades } from './grade.ts';
import type { Grade } from './grade.ts';
import { withoutLogLines } from './parsed-output.ts';
import { replayScript } from './replay.ts';
import type { Difference, ScriptResult } from './replay.ts';

const usage = 'usage: npm run raft:scripts -- FOLDER [--grade L1|L2|L3|L4] [FILE…]';

interface Request {
  readonly folder: string;
  readonly grade: Grade;
  /** Names of files, with or without their folder and ending; none: all. */
  readonly files: readonly string[];
}

/** Replays the scripts of a folder and prints a line for each. Exits with 1 when one is below the grade asked for. */
function main(): void {
  const request = parseRequest(process.argv.slice(2));
  if (request === null) return exit(2, usage);
  const { folder, grade, files } = request;
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    return exit(2, `there is no folder ${folder}: nothing was replayed`);
  }
  const found = scriptFiles(folder).filter((file) => isChosen(file, files));
  const missing = files.find((name) => !found.some((file) => isChosen(file, [name])));
  if (missing !== undefined) return exit(2, `${folder} has no script ${missing}: nothing was replayed`);
  if (found.length === 0) return exit(2, `${folder} has no scripts: nothing was replayed`);
  const below = found.filter((file) => !replayFile(folder, file, grade));
  printExceptions();
  const passed = found.length - below.length;
  console.log(`${passed} of ${found.length} scripts at ${grade} or better`);
  if (below.length > 0) process.exitCode = 1;
}

function parseRequest(words: readonly string[]): Request | null {
  let grade: Grade = 'L2';
  const names: string[] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string;
    const value = word.startsWith('--grade=')
      ? word.slice(8)
      : word === '--grade'
        ? (words[++at] ?? '')
        : null;
    if (value === null) names.push(word);
    else if (value !== 'none' && (grades as readonly string[]).includes(value)) grade = value as Grade;
    else return null;
  }
  const [folder, ...files] = names;
  if (folder === undefined || names.some((name) => name.startsWith('-'))) return null;
  return { folder, grade, files };
}

function scriptFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.txt'))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

function isChosen(file: string, names: readonly string[]): boolean {
  return names.length === 0 || names.some((name) => basename(file, '.txt') === basename(name, '.txt'));
}

/** Whether the file reaches the grade. Scripts about quorums and changes alone are equal or they are not. */
function replayFile(folder: string, file: string, wanted: Grade): boolean {
  let result: ScriptResult;
  try {
    result = replayScript(readFileSync(join(folder, file), 'utf8'));
  } catch (error) {
    console.log(
      `${file.padEnd(60)} cannot be replayed: ${error instanceof Error ? error.message : String(error)}`,
    );
    return false;
  }
  const { kind, commands, grade, differences } = result;
  const name = grade === 'none' ? 'DIFFERS' : kind === 'function' ? 'equal' : grade;
  console.log(`${file.padEnd(60)} ${String(commands).padStart(4)} commands  ${name}`);
  const difference = differences.find((one) => !atLeast(one.grade, wanted));
  if (difference === undefined) return true;
  printDifference(difference, wanted);
  return false;
}

function printDifference({ directive, output }: Difference, wanted: Grade): void {
  const compared = wanted === 'L4' ? (text: string) => text : withoutLogLines;
  const expected = compared(directive.expected).split('\n');
  const ours = compared(output).split('\n');
  const from = expected.findIndex((line, at) => line !== ours[at]);
  const start = Math.max(0, (from < 0 ? expected.length : from) - 2);
  const { line, command } = directive;
  console.log(`  first difference: line ${line}, ${command}, from line ${start + 1} of its output`);
  for (const text of expected.slice(start, start + 12)) console.log(`    expected  ${text}`);
  for (const text of ours.slice(start, start + 12)) console.log(`    replayed  ${text}`);
}

function printExceptions(): void {
  console.log(`\nDifferences from etcd-io/raft on purpose, bridged by the replay (none leaves a state out):`);
  for (const { name, difference } of exceptions) console.log(`  ${name}: ${difference}`);
  console.log();
}

function exit(code: number, message: string): void {
  console.error(message);
  process.exitCode = code;
}

main();
