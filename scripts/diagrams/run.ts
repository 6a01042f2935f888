// Writes docs/state-machines from the transition tables in the code.
//
//   npm run diagrams             write the files
//   npm run diagrams -- --check  fail when the committed ones differ
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diagramFiles } from './files.ts';

const folder = fileURLToPath(new URL('../../docs/state-machines', import.meta.url));
const files = await diagramFiles();

/** Names of files that are missing, different, or of a table that is no more. */
function stale(): string[] {
  const found = existsSync(folder) ? readdirSync(folder) : [];
  const names = new Set([...files.keys(), ...found]);
  return [...names].filter((name) => {
    const path = join(folder, name);
    return !files.has(name) || !existsSync(path) || readFileSync(path, 'utf8') !== files.get(name);
  });
}

if (process.argv.includes('--check')) {
  const names = stale();
  for (const name of names)
    process.stderr.write(`docs/state-machines/${name} is stale: run «npm run diagrams»\n`);
  process.exitCode = names.length === 0 ? 0 : 1;
} else {
  mkdirSync(folder, { recursive: true });
  for (const name of stale()) if (!files.has(name)) rmSync(join(folder, name));
  for (const [name, content] of files) writeFileSync(join(folder, name), content);
  process.stdout.write(`${files.size} files in docs/state-machines\n`);
}
