import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FlotillaProcess } from '../support/command.ts';
import { InProcessCluster } from '../support/in-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-test-restore-'));
const file = join(directory, 'snapshot.db');
/** In the process that restores: it is killed before the n-th change of a whole directory, its file left by what it did. */
const preload = join(directory, 'kill.mjs');
const killer = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
let left = Number(process.env.KILL_BEFORE);
for (const name of ['rmdirSync', 'renameSync', 'fsyncSync']) {
  const real = fs[name];
  fs[name] = (...args) => {
    left -= 1;
    if (left === 0) {
      fs.writeFileSync(process.env.KILLED, name);
      process.kill(process.pid, 'SIGKILL');
    }
    return real(...args);
  };
}
syncBuiltinESMExports();
`;

beforeAll(async () => {
  writeFileSync(preload, killer);
  const cluster = await InProcessCluster.start(1);
  try {
    const saved = new FlotillaProcess(['snapshot', 'save', file, `--endpoints=${cluster.endpoints[0]}`]);
    expect((await saved.finished).code, saved.stderr.join('\n')).toBe(0);
  } finally {
    await cluster.remove();
  }
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('a restore that is killed between its last steps has made all of the directory or none, and can be done again', async () => {
  for (const [kill, step] of [
    [1, 'rmdirSync'],
    [2, 'renameSync'],
    [3, 'fsyncSync'],
  ] as const) {
    const target = join(directory, `killed-${kill}`);
    const killed = join(directory, `step-${kill}`);
    mkdirSync(target);
    const args = ['snapshot', 'restore', file, '--data-dir', target];
    const first = new FlotillaProcess(args, {
      env: {
        NODE_OPTIONS: `--import ${pathToFileURL(preload).href}`,
        KILL_BEFORE: String(kill),
        KILLED: killed,
      },
    });
    expect((await first.finished).signal).toBe('SIGKILL');
    expect(readFileSync(killed, 'utf8')).toBe(step);
    const isWhole = existsSync(join(target, 'cluster.json'));
    expect(isWhole).toBe(step === 'fsyncSync');
    if (isWhole) continue;
    const again = new FlotillaProcess(args);
    expect((await again.finished).code, again.stderr.join('\n')).toBe(0);
    expect(existsSync(join(target, 'cluster.json'))).toBe(true);
  }
});
