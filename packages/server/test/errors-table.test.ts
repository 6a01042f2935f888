import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Names of environment variables, which look the same. */
const variables = new Set(['FLOTILLA_SUPERVISED', 'FLOTILLA_SIM_REPLAY', 'FLOTILLA_SIM_SEED']);

function sources(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : sources(path);
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts') ? [path] : [];
  });
}

function codesInSources(): Set<string> {
  const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name, 'src'));
  const codes = packages.flatMap(sources).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    return [...text.matchAll(/\bFLOTILLA_[A-Z]+(?:_[A-Z]+)*\b/g)].map((match) => match[0]);
  });
  return new Set(codes.filter((code) => !variables.has(code)));
}

function codesInTable(): string[] {
  const text = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');
  return [...text.matchAll(/^\| `(FLOTILLA_[A-Z_]+)` /gm)].map((match) => match[1] as string);
}

test('docs/errors.md lists every error code, and no other', () => {
  const listed = codesInTable();
  expect([...new Set(listed)]).toEqual(listed);
  expect([...listed].sort()).toEqual([...codesInSources()].sort());
});
