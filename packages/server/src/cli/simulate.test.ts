import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const launcher = fileURLToPath(new URL('../../bin/flotilla.js', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'flotilla-simulate-'));

afterAll(() => rmSync(directory, { recursive: true, force: true }));

function simulate(...args: readonly string[]): {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
} {
  const result = spawnSync(process.execPath, [launcher, 'simulate', ...args], {
    cwd: directory,
    encoding: 'utf8',
  });
  return { code: result.status, out: result.stdout, err: result.stderr };
}

test('a clean search prints what it did and ends with 0; jobs share the seeds', () => {
  const { code, out } = simulate('--scenario', 'core', '--seeds', '21', '--jobs', '2');
  expect(out).toMatch(
    /^scenario +core\nseeds +21 \(from 0; 1 made twice, trace hashes compared\)\nevents +[\d,]+\n/,
  );
  expect(out).toMatch(
    /events per second [\d,]+ in 2 processes\nsimulated time +[\d.]+ (s|min|h) in [\d.]+ s\n/,
  );
  expect(out).toMatch(/\n {2}crash +[\d,]+\n/);
  expect(out).toMatch(/no violation\n$/);
  expect(code).toBe(0);
});

test('what was run and met is written down for who adds up several searches, however many jobs there are', () => {
  const [one, two] = [1, 2].map((jobs) => {
    const file = join(directory, `${jobs}.json`);
    const { code } = simulate('--scenario', 'core', '--seeds', '21', '--jobs', `${jobs}`, '--outcome', file);
    expect(code).toBe(0);
    return JSON.parse(readFileSync(file, 'utf8')) as {
      readonly edges: Readonly<Record<string, number>>;
      readonly finding: null;
    };
  });
  expect(two).toEqual(one);
  expect(two).toMatchObject({ scenario: 'core', seeds: 21, finding: null });
  expect(two?.edges['role: candidate --win--> leader']).toBeGreaterThan(20);
  expect(two?.edges['shard-life: serving --barrier--> draining']).toBe(0);
});

test('a failure is shrunk, told in words and left as a tape that replays it; the exit code is 1', () => {
  const { code, out } = simulate('--scenario', 'forgetful-counter', '--seeds', '60', '--jobs', '2');
  expect(code).toBe(1);
  expect(out).toMatch(/VIOLATION in seed \d+: lost write/);
  expect(out).toMatch(
    /shrunk in [\d,]+ runs from \d+ faults and [\d,]+ choices to \d faults? and \d choices?:/,
  );
  expect(out).toMatch(/^at \d+\.\d{3} s: .*1 unsynced sectors lost \(after its \d+\w\w sync.*\)$/m);
  const tape = readdirSync(directory).find((name) => name.endsWith('.tape.json'));
  const page = readdirSync(directory).find((name) => name.endsWith('.report.html'));
  expect(out).toContain(`report:      ${page}`);
  expect(readFileSync(join(directory, page!), 'utf8')).toContain('<title>lost write · forgetful-counter');
  expect(out).toContain(`npx flotilla simulate --scenario forgetful-counter --replay ${tape}`);
  const replayed = simulate('--replay', tape!);
  expect(replayed.code).toBe(1);
  expect(replayed.out).toMatch(/VIOLATION lost write: /);
  const seed = /--seed (\d+)/.exec(out)?.[1];
  expect(simulate('--scenario', 'forgetful-counter', '--seed', seed!, '--no-shrink').out).toContain(
    'lost write',
  );
});

test('a run ends early when that is asked, and its page is written where it is asked for', () => {
  const report = join(directory, 'early.html');
  const tape = readdirSync(directory).find((name) => name.endsWith('.tape.json'));
  const { out } = simulate('--replay', tape!, '--until', '20', '--report', report);
  expect(out).toMatch(/^20 events, .*\n/);
  expect(out).toContain('the run was ended after 20 events, as asked');
  expect(out).toContain(`report: ${report}`);
  expect(readFileSync(report, 'utf8')).toContain('<title>ended as asked');
});

test.each([
  [['--until', '5'], /error FLOTILLA_USAGE: --until goes with --seed or --replay/],
  [
    ['--scenario', 'nothing'],
    /error FLOTILLA_USAGE: no scenario is named nothing: there are cluster, .*core/,
  ],
  [['--seeds', '-1'], /error FLOTILLA_USAGE: --seeds/],
  [['--replay', 'nowhere.json'], /error FLOTILLA_USAGE: cannot read the tape/],
  [['--replay', 'bad.json'], /error FLOTILLA_TAPE_INVALID/],
])('%s is one clear line', (args, line) => {
  writeFileSync(join(directory, 'bad.json'), '{}');
  const { code, err } = simulate(...args);
  expect(code).toBe(1);
  expect(err).toMatch(line);
});
