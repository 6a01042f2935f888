import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const page = fileURLToPath(new URL('../../../docs/bad-input.md', import.meta.url));
const text = readFileSync(page, 'utf8');

interface Row {
  readonly what: string;
  readonly proof: string;
}

const rows = text
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| [a-z ]+ \| [a-z ]+ \| proof \|$/.test(line))
  .map((line): Row => {
    const cells = line.slice(2, -2).split(' | ');
    return { what: cells[0] ?? '', proof: cells[2] ?? '' };
  });

function sourceOf(link: string): string {
  const path = join(dirname(page), link);
  return existsSync(path) ? readFileSync(path, 'utf8') : '';
}

/** As it stands in a source: quoted, and with anything where the page has an ellipsis. */
function isNamed(name: string, source: string): boolean {
  const pattern = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '[^\'"`\\n]*');
  return [`'${pattern}'`, `"${pattern}"`, `\`${pattern}\``].some((quoted) => new RegExp(quoted).test(source));
}

/** Tests that a cell names, and that are not in the file whose link follows. */
function missingIn(proof: string): string[] {
  return [...proof.matchAll(/((?:«[^»]+»(?:, )?)+) \(\[[^\]]+\]\(([^)]+)\)\)/g)].flatMap(
    ([, names = '', link = '']) =>
      [...names.matchAll(/«([^»]+)»/g)]
        .map(([, name = '']) => name)
        .filter((name) => !isNamed(name, sourceOf(link)))
        .map((name) => `${name} in ${link}`),
  );
}

test('docs/bad-input.md names a test for everything, and each of them exists', () => {
  expect(rows.length).toBeGreaterThan(40);
  for (const { what, proof } of rows) {
    // Every name belongs to a link, so that none is passed over.
    expect([what, proof.replaceAll(/(?:«[^»]+»(?:, )?)+ \(\[[^\]]+\]\([^)]+\)\)(?:, )?/g, '')]).toEqual([
      what,
      '',
    ]);
    expect([what, proof === '']).toEqual([what, false]);
    expect([what, missingIn(proof)]).toEqual([what, []]);
  }
});

test('the limits that docs/bad-input.md names exist', () => {
  const named = [...text.matchAll(/\[`(\w+)`\]\(([^)]+)\)/g)];
  expect(named.length).toBeGreaterThan(10);
  for (const [, name = '', link = ''] of named) {
    expect([name, new RegExp(`^ {2}${name}: `, 'm').test(sourceOf(link))]).toEqual([name, true]);
  }
});
