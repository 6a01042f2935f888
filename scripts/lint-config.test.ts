import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Each «never» of the package table, as a file that breaks it and the words of the complaint. */
const offences = [
  {
    never: 'the core imports the simulator',
    at: 'raft/src/core',
    code: `import '@flotilla/sim';`,
    says: 'sim',
  },
  { never: 'raft imports wire', at: 'raft/src/host', code: `import '@flotilla/wire';`, says: 'wire' },
  { never: 'raft knows of the store', at: 'raft/src/host', code: `import '@flotilla/store';`, says: 'store' },
  {
    never: 'check imports a package',
    at: 'check/src',
    code: `import '@flotilla/platform';`,
    says: 'platform',
  },
  {
    never: 'the server imports the checkers',
    at: 'server/src/api',
    code: `import '@flotilla/check';`,
    says: 'check',
  },
  { never: 'the store opens sockets', at: 'store/src/mvcc', code: `import 'node:net';`, says: 'node:net' },
  {
    never: 'the store touches files outside its adapter',
    at: 'store/src',
    code: `import 'node:fs';`,
    says: 'node:fs',
  },
  {
    never: 'ring 1 reads the clock',
    at: 'server/src/member',
    code: `export const t = Date.now();`,
    says: 'Date',
  },
  { never: 'ring 1 sets timers', at: 'raft/src/host', code: `setTimeout(() => 1, 1);`, says: 'setTimeout' },
  {
    never: 'ring 1 draws randomness',
    at: 'store/src',
    code: `export const r = Math.random();`,
    says: 'Math.random',
  },
  {
    never: 'ring 0 waits',
    at: 'raft/src/core',
    code: `export const p = Promise.resolve();`,
    says: 'Promise',
  },
] as const;

const probeName = 'lint-probe';
const directories = offences.map(({ at }, index) => `${root}packages/${at}/${probeName}-${index}`);
let output = '';

beforeAll(() => {
  offences.forEach(({ code }, index) => {
    mkdirSync(directories[index]!, { recursive: true });
    writeFileSync(`${directories[index]}/probe.ts`, `${code}\n`);
  });
  try {
    execFileSync('npx', ['oxlint', '--format=unix', ...directories], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    output = (error as { stdout: string }).stdout;
  }
});

afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

test.each(offences.map((offence, index) => ({ ...offence, index })))(
  'lint refuses: $never',
  ({ says, index }) => {
    const complaints = output.split('\n').filter((line) => line.includes(`${probeName}-${index}/`));
    expect(complaints.join('\n')).toContain(says);
  },
);
