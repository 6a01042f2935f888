import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SimulationFailure } from '@flotilla/sim';
import { afterAll, expect, test } from 'vitest';
import { simulateKeyValue } from '../../../examples/key-value/simulation.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-key-value-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A machine room in which disks are slow enough to be caught at work. */
const world = {
  delayMaxMs: 10,
  lossPerMille: 3,
  splitPerMille: 20,
  joinPerMille: 20,
  syncMinMs: 20,
  syncMaxMs: 60,
};
const options = {
  world,
  strategy: 'random',
  tapeDirectory: directory,
  shrinkMs: Infinity,
  shrinkRuns: 150,
  // However slow the machine is.
  runRealMaxMs: Infinity,
} as const;

async function find(mistake: string): Promise<SimulationFailure> {
  try {
    await simulateKeyValue(mistake, { ...options, seeds: 60 });
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
  throw new Error('the mistake was not found');
}

test('the key-value server of the examples is clean as it is, and all that it does is under control', async () => {
  const report = await simulateKeyValue('', { ...options, seeds: 15, repeatEvery: 5 });
  expect(report.seeds).toBe(15);
  expect(report.coverage.get('delivery split')).toBeGreaterThan(0);
  expect(report.coverage.get('crash')).toBeGreaterThan(0);
  expect(report.uncontrolled).toEqual([]);
});

test.each([
  [
    'takes a chunk for a line',
    'chunk-is-line',
    'FLOTILLA_PROGRAM_EXITED',
    /hand n[12] the first \d+ of \d+ bytes of (?:n1|c[123]) apart from the rest/,
  ],
  [
    'answers before its disk has it',
    'ack-before-sync',
    /linearizability|no convergence/,
    /(?:crash|power cut).*n1.*unsynced sectors lost/,
  ],
  ['does not listen to the errors of its sockets', 'no-error-listener', 'Error', /read ECONNRESET/],
])(
  'a server that %s is found, and shrunk to five faults at most, which the report shows',
  async (_what, mistake, name, words) => {
    const found = await find(mistake);
    expect(found.violation.name).toMatch(name);
    expect(found.faults.length).toBeLessThanOrEqual(5);
    expect(readFileSync(found.reportPath!, 'utf8')).toMatch(words);
  },
);

test('it is a program like any other', async () => {
  const path = fileURLToPath(new URL('../../../examples/key-value/server.mjs', import.meta.url));
  const server = spawn(process.execPath, [path, '--port', '0', '--log', join(directory, 'log')], {
    cwd: directory,
  });
  try {
    const [line] = (await once(server.stdout, 'data')) as [Buffer];
    const port = Number(/port (\d+)/.exec(String(line))?.[1]);
    const client = new URL('../../../examples/key-value/client.mjs', import.meta.url).href;
    const { ask } = (await import(client)) as {
      ask: (host: string, port: number, line: string) => Promise<string>;
    };
    expect(await ask('127.0.0.1', port, 'set a 1')).toBe('ok');
    expect(await ask('127.0.0.1', port, 'get a')).toBe('value 1');
  } finally {
    server.kill();
  }
});
