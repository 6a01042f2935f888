import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadMutations } from '../../../scripts/mutations/registry.ts';

const packageDirectory = fileURLToPath(new URL('..', import.meta.url));

interface Invariant {
  /** I: of the core. H: of the host. */
  readonly letter: 'I' | 'H';
  readonly number: number;
  /** The columns «kept by» and «checked by». */
  readonly keptBy: string;
  readonly checkedBy: string;
}

const specification = readFileSync(join(packageDirectory, 'SPEC.md'), 'utf8');

/** Rows of the core have a name as their first column; the last two columns are the same everywhere. */
function invariants(letter: Invariant['letter']): Invariant[] {
  return [...specification.matchAll(new RegExp(`^\\| ${letter}(\\d+) \\|(.*)\\|$`, 'gm'))].map((row) => {
    const cells = (row[2] ?? '').split(' | ').map((cell) => cell.trim());
    const [keptBy = '', checkedBy = ''] = cells.slice(-2);
    return { letter, number: Number(row[1]), keptBy, checkedBy };
  });
}

/** Everything that the specification may name: the code, the simulation and its monitors, without the tests. */
function code(): string {
  return ['src', 'simulation']
    .map((folder) => join(packageDirectory, folder))
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    )
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

/** `Monitor.#elected`, `countVote`, `#reset`: names of code in backticks. Anything else in backticks is prose. */
function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`((?:[A-Z]\w*\.)?#?[A-Za-z]\w*)`/g)].map((match) => match[1] ?? '');
}

function isInCode(name: string, text: string): boolean {
  const [member = '', owner] = name.split('.').reverse();
  const memberExists = new RegExp(`(^|[^\\w#])${member}\\b`).test(text);
  return memberExists && (owner === undefined || new RegExp(`(class|interface) ${owner}\\b`).test(text));
}

/** `test/host-peers.test.ts`: a file of tests that checks a rule which no simulation can break. */
function testsIn(cell: string): string[] {
  return [...cell.matchAll(/`(test\/[\w/-]+\.test\.ts)`/g)].map((match) => match[1] ?? '');
}

describe('SPEC.md', () => {
  const rows = [...invariants('I'), ...invariants('H')];
  const text = code();

  it.each(['I', 'H'] as const)('numbers its invariants %s from 1 without a gap', (letter) => {
    const numbers = invariants(letter).map(({ number }) => number);
    expect(numbers.length).toBeGreaterThan(10);
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it.each(rows)('$letter$number: names a check that exists', ({ checkedBy, keptBy }) => {
    expect(namesIn(checkedBy).length + testsIn(checkedBy).length).toBeGreaterThan(0);
    expect(namesIn(checkedBy + keptBy).filter((name) => !isInCode(name, text))).toEqual([]);
    expect(testsIn(checkedBy).filter((file) => !existsSync(join(packageDirectory, file)))).toEqual([]);
  });

  it.each(rows)(
    '$letter$number: is raised under its number, or names an assertion, a mutation or a judge',
    (row) => {
      const { letter, number, checkedBy } = row;
      const isRaised = new RegExp(`['"\`]${letter}${number}\\b`).test(text);
      const isJudged = letter === 'H' && /`Host(History|Simulation)\.|`test\//.test(checkedBy);
      expect(isRaised || isJudged || /assertions? in `|mutations? \d/.test(checkedBy)).toBe(true);
    },
  );

  it('names mutations that exist', async () => {
    const numbers = new Set((await loadMutations()).map(({ number }) => number));
    for (const { checkedBy } of rows) {
      const [, list = ''] = /mutations? ([\d, ]+)/.exec(checkedBy) ?? [];
      for (const number of list.split(',').map(Number).filter(Boolean)) expect(numbers).toContain(number);
    }
  });
});
