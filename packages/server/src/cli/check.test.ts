import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('../../bin/flotilla.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'flotilla-check-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Exit code, standard output and standard error of `flotilla check`. */
function check(history: string, ...args: readonly string[]): readonly [number | null, string, string] {
  const result = spawnSync(process.execPath, [launcher, 'check', '-', ...args], {
    cwd: directory,
    encoding: 'utf8',
    input: history,
  });
  return [result.status, result.stdout, result.stderr];
}

const write = '{"type":"call","client":1,"operation":[{"type":"append","key":"x","element":1}]}\n';
const read = '{"type":"call","client":1,"operation":[{"type":"read","key":"x"}]}\n';
const stale = `${write}{"type":"returned","client":1,"result":[null]}\n${read}{"type":"returned","client":1,"result":[[]]}\n`;

test('a history that must not be ends with 1, drawn; the same may be right without real time', () => {
  const [code, out] = check(stale, '--model', 'list-append', '--html', 'finding.html');
  expect(code).toBe(1);
  expect(out).toMatch(/^list-append\/G-single-realtime: transaction 1 .*\n/);
  expect(out).toMatch(/\n2 calls, model list-append: illegal\n$/);
  expect(readFileSync(join(directory, 'finding.html'), 'utf8')).toMatch(/<svg .*data-call="1"/);
  expect(check(stale, '--model', 'list-append', '--no-realtime').slice(0, 2)).toEqual([
    0,
    'ok\n2 calls, model list-append: ok\n',
  ]);
});

test('what cannot be judged ends with 2 and one line', () => {
  writeFileSync(join(directory, 'torn.ndjson'), write.slice(0, 40));
  const [code, out, err] = check(write.slice(0, 40), '--model', 'list-append');
  expect([code, out]).toEqual([2, '']);
  expect(err).toMatch(/^error FLOTILLA_HISTORY_LINE: line 1 is not JSON: .*\n$/);
  const [wrongModel, , message] = check(stale, '--model', 'lists');
  expect(wrongModel).toBe(2);
  expect(message).toMatch(
    /^error FLOTILLA_USAGE: no model is named lists: there are register, kv, etcd, .*\n$/,
  );
});
