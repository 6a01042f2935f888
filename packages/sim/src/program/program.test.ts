import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SimulationFailure, loadProgram, simulate } from '../index.ts';
import type { ProgramOptions, ProgramStart, SimulateOptions, SimulateReport } from '../index.ts';
import { differences } from './differential-programs.ts';

const directory = mkdtempSync(join(tmpdir(), 'flotilla-program-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let written = 0;

/** Writes a program of several files; answers the first. */
function write(files: Readonly<Record<string, string>>): string {
  written += 1;
  const folder = join(directory, String(written));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return join(folder, Object.keys(files)[0] ?? '');
}

interface Trial {
  readonly program?: ProgramOptions;
  readonly start?: ProgramStart;
  readonly simulate?: SimulateOptions;
  readonly nodes?: number;
  readonly faultsMs?: number;
}

/** Runs a program on nodes and answers what it wrote. */
async function output(path: string, trial: Trial = {}): Promise<{ lines: string[]; report: SimulateReport }> {
  const program = loadProgram(path, trial.program);
  let lines: string[] = [];
  const report = await simulate({ name: 'program', seeds: 1, repeatEvery: 1, world: {}, tapeDirectory: null, shrinkMs: 0, runRealMaxMs: Infinity, ...trial.simulate }, async (sim) => {
    lines = [];
    sim.nodes(trial.nodes ?? 1, (platform) => program.start(platform, trial.start));
    sim.onTrace(({ node, kind, detail }) => {
      if (kind === 'log') lines.push(trial.nodes === undefined ? String(detail['message']) : `${node}: ${String(detail['message'])}`);
    });
    await sim.run({ faultsMs: trial.faultsMs ?? 2000 });
  }); // prettier-ignore
  return { lines, report };
}

async function failure(path: string, trial: Trial = {}): Promise<SimulationFailure> {
  try {
    await output(path, trial);
  } catch (error) {
    if (error instanceof SimulationFailure) return error;
    throw error;
  }
  throw new Error('nothing was found');
}

test.each(Object.entries(differences))('%s as in Node itself', async (_what, files) => {
  const path = write(files);
  const real = spawnSync(process.execPath, [path, 'first', '--second'], {
    cwd: dirname(path),
    encoding: 'utf8',
  });
  expect(real.stderr).toBe('');
  expect(real.stdout).not.toBe('');
  const { lines, report } = await output(path, { start: { arguments: ['first', '--second'] } });
  expect(`${lines.join('\n')}\n`).toBe(real.stdout);
  expect(report.uncontrolled).toEqual([]);
});

test('each node and each life has modules, clock, files, names and random numbers of its own', async () => {
  const path = write({
    'main.mjs': `
      import os from 'node:os';
      import { appendFileSync, readFileSync } from 'node:fs';
      import { counter, add } from './counter.mjs';
      globalThis.mine = os.hostname();
      appendFileSync('lives', os.hostname());
      add();
      console.log(counter, globalThis.mine, readFileSync('lives', 'latin1'), process.pid, Math.random() === Math.random());
      console.log(Math.random(), crypto.randomUUID(), Date.now());
      setInterval(() => {}, 1000);`,
    'counter.mjs': `export let counter = 0; export const add = () => { counter += 1; };`,
  });
  const program = loadProgram(path);
  const lines: string[] = [];
  await simulate(
    { runRealMaxMs: Infinity, seeds: 1, repeatEvery: 0, world: { skewMaxMs: 500 } },
    async (sim) => {
      sim.nodes(2, (platform) => program.start(platform));
      sim.onTrace(({ detail }) => lines.push(String(detail['message'])));
      sim.world.after(100, () => sim.world.node('n1').crash());
      sim.world.after(200, () => sim.world.node('n1').start());
      await sim.run({ faultsMs: 300 });
    },
  );
  expect(lines.filter((line) => line.startsWith('1 '))).toEqual([
    '1 n1 n1 1001 false',
    '1 n2 n2 2001 false',
    expect.stringMatching(/^1 n1 n1(n1)? 1002 false$/),
  ]);
  expect(new Set(lines).size).toBe(6);
  expect(Reflect.has(globalThis, 'mine')).toBe(false);
});

test('a program is told of connections that are refused, reset and silent by the codes of Node', async () => {
  const server = loadProgram(write({ 'server.mjs': `import net from 'node:net'; net.createServer((s) => s.on('error', () => {})).listen(7);` })); // prettier-ignore
  const client = loadProgram(
    write({
      'client.mjs': `
        import net from 'node:net';
        export function attempt(port) {
          const s = net.connect(port, 'n1');
          s.on('error', (e) => console.log(e.code, e.syscall, e.message));
          s.on('close', (bad) => console.log('close', bad));
          setInterval(() => s.write('x'), 100).unref();
          return s;
        }`,
    }),
  );
  const lines: string[] = [];
  await simulate({ runRealMaxMs: Infinity, seeds: 1, repeatEvery: 1 }, async (sim) => {
    lines.length = 0;
    const [node] = sim.nodes(1, (platform) => server.start(platform));
    sim.clients(1, async (platform, self) => {
      const { attempt } = await client.import<{ attempt: (port: number) => void }>(platform);
      await self.sleep(20);
      attempt(8);
      await self.sleep(500);
      attempt(7);
      await self.sleep(500);
      node?.node.crash();
      await self.sleep(1000);
      node?.node.start();
      await self.sleep(1000);
      attempt(7);
      await self.sleep(500);
      node?.node.crash({ unreachable: true });
      await self.sleep(60_000);
    });
    sim.onTrace(({ node: from, detail }) => void (from === 'c1' && lines.push(String(detail['message']))));
    await sim.run({ faultsMs: 70_000 });
  });
  expect(lines).toEqual([
    'ECONNREFUSED connect connect ECONNREFUSED 10.0.0.1:8',
    'close true',
    'ECONNRESET read read ECONNRESET',
    'close true',
    'ETIMEDOUT read read ETIMEDOUT',
    'close true',
  ]);
});

test('a writer is held back until the other side has read', async () => {
  const path = write({
    'main.mjs': `
      import net from 'node:net';
      const server = net.createServer((s) => { s.pause(); setTimeout(() => s.resume(), 500); s.on('end', () => server.close()); });
      server.listen(7, () => {
        const s = net.connect(7);
        let written = 0, waits = 0;
        const chunk = Buffer.alloc(16 * 1024);
        const more = () => {
          while (written < 4e6) {
            written += chunk.length;
            if (!s.write(chunk)) { waits += 1; s.once('drain', more); return; }
          }
          s.end();
          console.log(waits > 10, performance.now() > 500);
        };
        more();
      });`,
  });
  expect((await output(path)).lines).toEqual(['true true']);
});

test('what was not synced may be lost, what was synced is there, and a sync that the program waits for takes time', async () => {
  const program = loadProgram(
    write({
      'main.mjs': `
        import fs from 'node:fs';
        const at = (name) => fs.existsSync(name) ? fs.readFileSync(name, 'latin1').replaceAll('\\0', '') : '';
        console.log('found', at('synced'), at('unsynced'));
        for (const name of ['synced', 'unsynced']) {
          const fd = fs.openSync(name, 'w');
          fs.writeSync(fd, name);
          if (name === 'synced') fs.fsyncSync(fd);
        }
        const directory = fs.openSync('.', 'r');
        fs.fsyncSync(directory);
        setTimeout(() => console.log('later', performance.now() >= 200), 1);
        setInterval(() => {}, 1000);`,
    }),
  );
  const lines = new Set<string>();
  await simulate(
    { seeds: 40, strategy: 'random', repeatEvery: 0, world: { syncMinMs: 100, syncMaxMs: 100 } },
    async (sim) => {
      // prettier-ignore
      const [node] = sim.nodes(1, (platform) => program.start(platform));
      sim.onTrace(({ detail }) => lines.add(String(detail['message'])));
      sim.world.after(900, () => node?.node.crash());
      sim.world.after(1000, () => node?.node.start());
      await sim.run({ faultsMs: 2000 });
    },
  );
  expect(lines).toEqual(new Set(['found  ', 'found synced ', 'found synced unsynced', 'later true']));
});

test('faults of the disk are errors of Node, and a program that gives up because of one is not to blame', async () => {
  const program = loadProgram(
    write({
      'main.mjs': `
        import { open } from 'node:fs/promises';
        const file = await open('f', 'w');
        setInterval(() => file.write('x').then(() => file.sync()).catch((e) => { console.log(e.code); process.exit(1); }), 10);`,
    }),
  );
  const codes = new Set<string>();
  await simulate({ runRealMaxMs: Infinity, seeds: 30, repeatEvery: 10 }, async (sim) => {
    sim.nodes(1, (platform) => program.start(platform));
    sim.onTrace(({ detail }) => codes.add(String(detail['message'])));
    sim.nemesis('disks', { intervalMs: [10, 300] });
    await sim.run({ faultsMs: 3000 });
  });
  expect(codes).toEqual(new Set(['ENOSPC', 'EIO']));
});

test('requests by http repeat exactly, whatever the network does to them', async () => {
  const path = write({
    'main.mjs': `
      import http from 'node:http';
      import os from 'node:os';
      let asked = 0;
      http.createServer((request, response) => { asked += 1; setTimeout(() => response.end('x'.repeat(5000) + asked), 5); }).listen(80);
      const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
      setInterval(() => {
        const peer = os.hostname() === 'n1' ? 'n2' : 'n1';
        const request = http.get({ host: peer, path: '/', agent, timeout: 500 }, async (response) => {
          let size = 0;
          try { for await (const chunk of response) size += chunk.length; console.log('got', size, response.headers.date, request.reusedSocket); }
          catch (error) { console.log('broken', error.code); }
        });
        request.on('timeout', () => request.destroy());
        request.on('error', (error) => console.log('failed', error.code, error.message));
      }, 50);`,
  });
  const { lines, report } = await output(path, { nodes: 2, simulate: { seeds: 6, world: { splitPerMille: 50, lossPerMille: 20, refusePerMille: 500 } }, faultsMs: 1500 }); // prettier-ignore
  expect(report.uncontrolled).toEqual([]);
  expect(lines.filter((line) => /^n[12]: got 500\d .* true$/.test(line)).length).toBeGreaterThan(5);
  expect(lines.some((line) => /: failed ECONN(?:REFUSED|RESET) /.test(line))).toBe(true);
});

test('listeners of the process are asked about errors that nobody has caught', async () => {
  const path = write({
    'main.mjs': `
      process.on('uncaughtException', (e) => console.log('caught', e.message));
      process.on('exit', (code) => console.log('exit', code));
      setTimeout(() => { throw new Error('one'); }, 10);
      process.nextTick(() => { throw new Error('two'); });
      queueMicrotask(() => { throw new Error('three'); });
      Promise.reject(new Error('four'));
      setTimeout(() => {}, 50);`,
  });
  const { lines } = await output(path);
  expect(lines).toEqual(['caught two', 'caught three', 'caught four', 'caught one', 'exit 0']);
});

const offences: readonly [string, string, RegExp, Readonly<Record<string, string>>, Trial?][] = [
  [
    'throws while it is loaded',
    'FLOTILLA_PROGRAM_THREW',
    /n1 failed: main\.mjs threw while it was loaded: TypeError: nothing is here\n.*main\.mjs:2:11\)/,
    { 'main.mjs': `\nthrow     new TypeError('nothing is here');` },
  ],
  [
    'uses what is not controlled',
    'FLOTILLA_PROGRAM_UNCONTROLLED',
    /n1 uses node:child_process execSync at lib\/run\.mjs:3:10, which the simulation does not control/,
    {
      'main.mjs': `import { run } from './lib/run.mjs'; try { run(); } catch { /* swallowed */ }`,
      'lib/run.mjs': `import { execSync } from 'node:child_process';\nexport const run = () => {\n  return execSync('true'); };`,
    },
  ],
  [
    'reaches out by a global',
    'FLOTILLA_PROGRAM_UNCONTROLLED',
    /n1 uses the global fetch at main\.mjs:1:7/,
    { 'main.mjs': `await fetch('http://127.0.0.1:1');` },
  ],
  [
    'sees how garbage is collected',
    'FLOTILLA_PROGRAM_UNCONTROLLED',
    /n1 uses the global WeakRef at main\.cjs:1:1/,
    { 'main.cjs': `new WeakRef({});` },
  ],
  [
    'shares a variable among nodes',
    'FLOTILLA_PROGRAM_UNCONTROLLED',
    /n1 uses the global variable leaked, which no node has for itself at main\.js/,
    { 'main.js': `setTimeout(() => { leaked = 1; }, 5); setTimeout(() => {}, 20);` },
  ],
  [
    'listens on what is no part of the network',
    'FLOTILLA_PROGRAM_UNCONTROLLED',
    /n1 uses node:net listen on a path at main\.cjs:1/,
    { 'main.cjs': `require('net').createServer().listen('/tmp/socket');` },
  ],
  [
    'gets at the real clock through the back door',
    'FLOTILLA_ESCAPED_SIMULATION',
    /Date\.now was called during a simulation/,
    { 'main.mjs': `new Function('return Date.now()')();` },
  ],
  [
    'finds the real clock behind a date',
    'FLOTILLA_ESCAPED_SIMULATION',
    /new Date\(\) was called during a simulation/,
    { 'main.mjs': `const { constructor } = new Date(0); new constructor(1); new constructor();` },
  ],
  [
    'gives up by itself',
    'FLOTILLA_PROGRAM_EXITED',
    /n1 called process\.exit\(\) at main\.mjs:1:51 \(exit code 3, after it said «no way»\)/,
    { 'main.mjs': `console.error('no way'); setTimeout(() => process.exit(3), 5);` },
  ],
  [
    'waits for what never comes',
    'FLOTILLA_PROGRAM_EXITED',
    /n1 still awaited something at its top level, which nothing can bring about \(exit code 13\)/,
    { 'main.mjs': `await new Promise(() => {});` },
  ],
  [
    'fails with an error that nobody catches',
    'FLOTILLA_SIMULATION_FAILED',
    /n1 failed: lost\n.*main\.mjs:1:32\)/,
    { 'main.mjs': `process.nextTick(() => { throw new Error('lost'); });` },
  ],
  [
    'does not handle the error of a socket',
    'FLOTILLA_SIMULATION_FAILED',
    /n1 failed: connect ECONNREFUSED 127\.0\.0\.1:9/,
    { 'main.mjs': `import net from 'node:net'; net.connect(9);` },
  ],
  [
    'never lets promises come to an end',
    'FLOTILLA_SIMULATION_STUCK',
    /n1 does not give control back/,
    { 'main.mjs': `for (;;) await null;` },
    { simulate: { runRealMaxMs: 600 } },
  ],
  [
    'never lets ticks come to an end',
    'FLOTILLA_SIMULATION_STUCK',
    /n1 does not give control back/,
    { 'main.mjs': `const again = () => process.nextTick(again); again();` },
    { simulate: { runRealMaxMs: 600 } },
  ],
];

test.each(offences)(
  'a program that %s is named in one clear message',
  async (_what, code, message, files, trial) => {
    const found = await failure(write(files), trial);
    expect(found.code).toBe(code);
    expect(found.message).toMatch(message);
    // Nothing of it is left behind for whoever comes next.
    expect((await output(write({ 'main.cjs': `console.log(typeof leaked, 'fine')` }))).lines).toEqual([
      'undefined fine',
    ]);
  },
);

test('what is let through is told in every report of the run', async () => {
  const files = { 'main.mjs': `import os from 'node:os'; import v8 from 'node:v8'; console.log(typeof v8.getHeapStatistics().total_heap_size); v8.cachedDataVersionTag(); if (process.env.BAD) process.exit(1);` }; // prettier-ignore
  const path = write(files);
  const use = { what: 'node:v8 getHeapStatistics', node: 'n1', place: 'main.mjs:1:75', allowed: true };
  const { lines, report } = await output(path, { program: { uncontrolled: ['node:v8'] } });
  expect(lines[0]).toMatch(/^uses|number/);
  expect(report.uncontrolled).toEqual([
    use,
    { ...use, what: 'node:v8 cachedDataVersionTag', place: expect.any(String) },
  ]);
  const found = await failure(path, { program: { uncontrolled: 'allow' }, start: { environment: { BAD: '1' } }, simulate: { shrinkMs: Infinity, shrinkRuns: 2, tapeDirectory: join(directory, 'tapes') } }); // prettier-ignore
  expect(found.uncontrolled).toHaveLength(2);
  expect(found.message).toContain('not controlled: node:v8 getHeapStatistics, used by n1 at main.mjs:1:75\n');
  expect(readFileSync(found.reportPath!, 'utf8')).toContain('not controlled: node:v8 getHeapStatistics');
  const narrow = await failure(path, { program: { uncontrolled: ['node:v8 getHeapStatistics'] } });
  expect(narrow.message).toContain('n1 uses node:v8 cachedDataVersionTag at main.mjs');
});

test.each([
  ['is not there', {}, 'FLOTILLA_PROGRAM_NOT_FOUND', /there is no program .*main\.mjs/],
  ['is not JavaScript', { 'main.mjs': 'const a = 1;\nconst = 2;' }, 'FLOTILLA_PROGRAM_INVALID', /main\.mjs: Unexpected token '=' \(line 2\)/], // prettier-ignore
  ['ends in the middle', { 'main.mjs': 'const a = `' }, 'FLOTILLA_PROGRAM_INVALID', /a template that begins in line 1 has no end/], // prettier-ignore
  ['imports what is not there', { 'main.mjs': "import './none.mjs'" }, 'ERR_MODULE_NOT_FOUND', /cannot find «\.\/none\.mjs», which .*main\.mjs imports/], // prettier-ignore
  ['has types that nobody strips', { 'main.mts': 'const a: number = 1' }, 'FLOTILLA_PROGRAM_INVALID', /give `transform`/], // prettier-ignore
])('a program that %s is refused before any run', (what, files, code, message) => {
  // From Node 22.13 on, Node itself strips the types.
  if (what.startsWith('has types') && 'stripTypeScriptTypes' in process.getBuiltinModule('node:module'))
    return;
  const path = 'main.mjs' in files || 'main.mts' in files ? write(files) : join(directory, 'main.mjs');
  const load = (): unknown => loadProgram(path);
  expect(load).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) as string }));
});

test('a transform makes programs of what Node does not run', async () => {
  const path = write({ 'main.mts': `import { a } from './a.mts';\nconst b: number = a; console.log(b)`, 'a.mts': 'export const a: number = 2;' }); // prettier-ignore
  const transform = (source: string): string => source.replaceAll(': number', '');
  expect((await output(path, { program: { transform } })).lines).toEqual(['2']);
});

test('a machine has the files that it is given, once', async () => {
  const path = write({ 'main.cjs': `const fs = require('fs'); console.log(fs.readFileSync('etc/config', 'utf8'), fs.readFileSync('/etc/motd', 'utf8'));` }); // prettier-ignore
  const files = { 'etc/config': 'a=1', '/etc/motd': new TextEncoder().encode('hello') };
  expect((await output(path, { start: { files } })).lines).toEqual(['a=1 hello']);
});
