import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${root}docs/track-record.md`, 'utf8');
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| Found by') && !line.startsWith('| ---'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')));

test('every bug of the track record is kept away by something that is in the repository', () => {
  expect(rows.length).toBeGreaterThan(20);
  const missing = rows.flatMap(([found, , , kept]) => {
    const [, file, words] = /^`([^`]+)` «([^»]+)»$/.exec(kept ?? '') ?? [];
    if (file === undefined || words === undefined) return [`${found}: names no file with words in «»`];
    if (!existsSync(root + file)) return [`${found}: there is no ${file}`];
    return readFileSync(root + file, 'utf8').includes(words) ? [] : [`${found}: ${file} has no «${words}»`];
  });
  expect(missing).toEqual([]);
});

const git = (...args: readonly string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();

/** A shallow clone has no history to compare with. */
function hasHistory(): boolean {
  try {
    return git('rev-parse', '--is-shallow-repository') === 'false';
  } catch {
    return false;
  }
}

test.skipIf(!hasHistory())('every commit of the track record is in the history', () => {
  const commits = [...page.matchAll(/`([0-9a-f]{7,40})`/g)].map(([, commit]) => commit ?? '');
  expect(commits.length).toBeGreaterThan(rows.length);
  const known = git('log', '--format=%h', '--abbrev=7').split('\n');
  expect(commits.filter((commit) => !known.includes(commit))).toEqual([]);
});
