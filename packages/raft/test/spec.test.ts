import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadMutations } from '../../../scripts/mutations/registry.ts';

const packageDirectory = fileURLToPath(new URL('..', import.meta.url));

interface Invariant {
  readonly number: number;
  readonly name: string;
  /** The columns «kept by» and «checked by». */
  readonly keptBy: string;
  readonly checkedBy: string;
}

function invariants(): Invariant[] {
  const text = readFileSync(join(packageDirectory, 'SPEC.md'), 'utf8');
  return [...text.matchAll(/^\| I(\d+) \|(.*)\|$/gm)].map((row) => {
    const [name = '', , keptBy = '', checkedBy = ''] = (row[2] ?? '').split(' | ').map((cell) => cell.trim());
    return { number: Number(row[1]), name, keptBy, checkedBy };
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

describe('SPEC.md', () => {
  const rows = invariants();
  const text = code();

  it('numbers its invariants from 1 without a gap', () => {
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
  });

  it.each(rows)('I$number $name: names a check that exists', ({ checkedBy, keptBy }) => {
    expect(namesIn(checkedBy).length).toBeGreaterThan(0);
    expect(namesIn(checkedBy + keptBy).filter((name) => !isInCode(name, text))).toEqual([]);
  });

  it.each(rows)('I$number $name: is raised under its number, or names an assertion or a mutation', (row) => {
    const isRaised = new RegExp(`['"\`]I${row.number}\\b`).test(text);
    expect(isRaised || /assertions? in `|mutations? \d/.test(row.checkedBy)).toBe(true);
  });

  it('names mutations that exist', async () => {
    const numbers = new Set((await loadMutations()).map(({ number }) => number));
    for (const { checkedBy } of rows) {
      const [, list = ''] = /mutations? ([\d, ]+)/.exec(checkedBy) ?? [];
      for (const number of list.split(',').map(Number).filter(Boolean)) expect(numbers).toContain(number);
    }
  });
});
