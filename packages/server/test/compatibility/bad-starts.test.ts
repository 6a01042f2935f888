import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FlotillaProcess } from '../support/command.ts';
import { freePorts } from '../support/ports.ts';

let directory = '';
let base = 0;
let processes: FlotillaProcess[] = [];
let server: Server | null = null;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'flotilla-test-'));
  base = await freePorts(6);
});

afterEach(async () => {
  for (const running of processes) await running.stop('SIGKILL');
  processes = [];
  await new Promise((resolve) => (server === null ? resolve(null) : server.close(resolve)));
  server = null;
  rmSync(directory, { recursive: true, force: true });
});

function start(...args: string[]): FlotillaProcess {
  const process = new FlotillaProcess(args, { cwd: directory });
  processes.push(process);
  return process;
}

/** `serve` as member n1 of a cluster of its own, unless other flags say otherwise. */
function serve(...more: string[]): FlotillaProcess {
  const flags = [
    '--name=n1',
    `--data-dir=${join(directory, 'n1')}`,
    `--listen-client-urls=http://127.0.0.1:${base}`,
    `--advertise-client-urls=http://127.0.0.1:${base}`,
    `--listen-peer-urls=http://127.0.0.1:${base + 1}`,
    `--initial-advertise-peer-urls=http://127.0.0.1:${base + 1}`,
    `--initial-cluster=n1=http://127.0.0.1:${base + 1}`,
  ];
  return start('serve', ...flags, ...more);
}

/** One line that says it all, no stack. */
async function expectError(process: FlotillaProcess, line: RegExp, exitCode = 1): Promise<void> {
  const { code } = await process.finished;
  const errors = process.stderr.filter((text) => text.startsWith('error '));
  expect(errors).toEqual([expect.stringMatching(line)]);
  expect(process.stderr.join('\n')).not.toMatch(/^\s+at /m);
  expect(process.stdout).toEqual([]);
  expect(code).toBe(exitCode);
}

async function occupy(port: number): Promise<void> {
  const taken = createServer();
  server = taken;
  await new Promise<void>((resolve) => taken.listen({ host: '127.0.0.1', port }, resolve));
}

async function ready(process: FlotillaProcess): Promise<FlotillaProcess> {
  await process.line('stdout', /^ready to serve client requests$/);
  return process;
}

describe('serve', () => {
  test('an occupied client port', async () => {
    await occupy(base);
    await expectError(serve(), new RegExp(`^error FLOTILLA_ADDRESS_IN_USE: .*:${base}`));
  });

  test('an occupied peer port', async () => {
    await occupy(base + 1);
    await expectError(serve(), new RegExp(`^error FLOTILLA_ADDRESS_IN_USE: .*:${base + 1}`));
  });

  test('a data directory that cannot be made', async () => {
    writeFileSync(join(directory, 'file'), '');
    const process = serve(`--data-dir=${join(directory, 'file', 'data')}`);
    await expectError(process, /^error FLOTILLA_DATA_DIRECTORY: /);
  });

  test('a data directory that another member holds', async () => {
    const first = await ready(serve());
    const second = serve(
      `--listen-client-urls=http://127.0.0.1:${base + 2}`,
      `--listen-peer-urls=http://127.0.0.1:${base + 3}`,
    );
    await expectError(second, /^error FLOTILLA_DISK_LOCKED: /);
    expect(first.ended).toBe(false);
    expect((await first.stop()).code).toBe(0);
  });

  test("another member's data, another cluster's, another program's", async () => {
    await (await ready(serve())).stop();
    await expectError(
      serve('--name=n2', `--initial-cluster=n2=http://127.0.0.1:${base + 1}`),
      /^error FLOTILLA_FOREIGN_DATA: .* belongs to member n1, not n2/,
    );
    await expectError(serve('--initial-cluster-token=other'), /^error FLOTILLA_FOREIGN_DATA: /);
    await expectError(
      serve(`--initial-cluster=n1=http://127.0.0.1:${base + 1},n2=http://127.0.0.1:${base + 3}`),
      /^error FLOTILLA_PEER_SET_CHANGED: /,
    );
    mkdirSync(join(directory, 'etcd', 'member'), { recursive: true });
    await expectError(serve(`--data-dir=${join(directory, 'etcd')}`), /^error FLOTILLA_FOREIGN_DATA: .*etcd/);
    // None of them has touched it.
    await (await ready(serve())).stop();
  });

  test("a log of another cluster, moved in under this one's identity", async () => {
    await (await ready(serve())).stop();
    const other = [`--data-dir=${join(directory, 'other')}`, '--initial-cluster-token=other'];
    await (await ready(serve(...other))).stop();
    const identity = readFileSync(join(directory, 'n1', 'cluster.json'));
    writeFileSync(join(directory, 'other', 'cluster.json'), identity);
    await expectError(serve(`--data-dir=${join(directory, 'other')}`), /^error FLOTILLA_LOG_FOREIGN: /);
  });

  test('a name that the cluster does not have, and one whose URLs are another member', async () => {
    await expectError(serve('--name=n9'), /^error FLOTILLA_NAME_NOT_IN_CLUSTER: /);
    const second = serve(
      `--data-dir=${join(directory, 'second')}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${base + 3}`,
    );
    await expectError(second, /^error FLOTILLA_PEER_URL_MISMATCH: .*two members called n1/);
  });

  test.each([
    // As Go's flags have it, in words and exit code.
    [['--nonsense=1'], /^error FLOTILLA_USAGE: flag provided but not defined: -nonsense$/, 2],
    [['-nonsense'], /^error FLOTILLA_USAGE: flag provided but not defined: -nonsense$/, 2],
    [['--name'], /^error FLOTILLA_USAGE: flag needs an argument: -name$/, 2],
    [['stray'], /^error FLOTILLA_USAGE: "stray" is not a valid flag$/],
    [['--cert-file=a.pem'], /^error FLOTILLA_CONFIGURATION: --key-file and --cert-file must both be present/],
    [['--listen-metrics-urls=https://127.0.0.1:1'], /^error FLOTILLA_CONFIGURATION: client TLS key\/cert/],
    [['--election-timeout=10'], /^error FLOTILLA_CONFIGURATION: --election-timeout\[10ms\]/],
    [['--config-file=absent.yml'], /^error FLOTILLA_CONFIGURATION: .*absent\.yml/],
  ])('%j', async (flags, line, exitCode = 1) => {
    await expectError(serve(...flags), line, exitCode);
  });

  test('settings from a file and from variables', async () => {
    const settings = [
      'name: n1',
      `data-dir: ${join(directory, 'from-file')}`,
      `listen-client-urls: http://127.0.0.1:${base}`,
      `advertise-client-urls: http://127.0.0.1:${base}`,
      `listen-peer-urls: http://127.0.0.1:${base + 1}`,
      `initial-advertise-peer-urls: http://127.0.0.1:${base + 1}`,
      'max-wals: 7',
    ];
    writeFileSync(join(directory, 'member.yml'), settings.join('\n'));
    const fromFile = await ready(start('serve', '--config-file=member.yml'));
    expect(fromFile.stderr.join('\n')).toContain('--max-wals has no effect');
    await fromFile.stop();
    expect(existsSync(join(directory, 'from-file', 'cluster.json'))).toBe(true);

    const environment = Object.fromEntries(
      settings
        .map((line) => line.split(': ') as [string, string])
        .map(([name, value]) => [
          `ETCD_${name.replaceAll('-', '_').toUpperCase()}`,
          name === 'data-dir' ? join(directory, 'from-environment') : value,
        ]),
    );
    const fromEnvironment = new FlotillaProcess(['serve'], { cwd: directory, env: environment });
    processes.push(fromEnvironment);
    await ready(fromEnvironment);
    expect((await fromEnvironment.stop('SIGINT')).code).toBe(0);
    expect(existsSync(join(directory, 'from-environment', 'cluster.json'))).toBe(true);
  });

  test('--version and --help', async () => {
    const version = start('serve', '--version');
    expect((await version.finished).code).toBe(0);
    // In etcd's words: whoever starts this in etcd's place asks it.
    expect(version.stdout[0]).toMatch(/^etcd Version: 3\.7\.0$/);
    expect(version.stdout.slice(1).map((line) => line.replace(/:.*/, ''))).toEqual([
      'Git SHA',
      'Go Version',
      'Go OS/Arch',
    ]);
    const help = start('serve', '--help');
    expect((await help.finished).code).toBe(0);
    expect(help.stdout.join('\n')).toContain('--initial-cluster-token');
  });
});

describe('dev', () => {
  function dev(...more: string[]): FlotillaProcess {
    return start('dev', `--base-port=${base}`, '--data-dir=data', ...more);
  }

  test('an occupied port is named, and nothing is left behind', async () => {
    await occupy(base + 3);
    await expectError(dev(), new RegExp(`^error FLOTILLA_ADDRESS_IN_USE: port ${base + 3} .*n2`));
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  test('a data directory that cannot be made', async () => {
    writeFileSync(join(directory, 'data'), '');
    await expectError(dev(), /^error FLOTILLA_DATA_DIRECTORY: /);
  });

  test.each([
    [['--nodes=0'], /^error FLOTILLA_CONFIGURATION: --nodes/],
    [['--nodes=x'], /^error FLOTILLA_CONFIGURATION: --nodes/],
    [['--base-port=70000'], /^error FLOTILLA_CONFIGURATION: --base-port/],
    [['--nonsense'], /^error FLOTILLA_USAGE: /],
  ])('%j', async (flags, line) => {
    await expectError(dev(...flags), line);
  });

  test('prints one line when all members serve, reports one that dies, and ends cleanly', async () => {
    const process = dev();
    const line = await process.line('stdout', /^ready /);
    expect(process.stdout).toEqual([line]);
    const told = JSON.parse(line.slice('ready '.length)) as {
      readonly endpoints: readonly string[];
      readonly dataDir: string;
      readonly members: readonly { readonly name: string; readonly pid: number }[];
    };
    expect(told.endpoints).toEqual([0, 2, 4].map((offset) => `http://127.0.0.1:${base + offset}`));
    expect(told.dataDir).toBe(join(directory, 'data'));
    expect(told.members.map((member) => member.name)).toEqual(['n1', 'n2', 'n3']);

    const victim = told.members[1] as { readonly pid: number };
    global.process.kill(victim.pid, 'SIGKILL');
    await process.line('stderr', /^error FLOTILLA_MEMBER_ENDED: n2 \(pid \d+\) ended by SIGKILL$/);
    expect((await process.stop('SIGINT')).code).toBe(0);
    for (const { pid } of told.members) expect(() => global.process.kill(pid, 0)).toThrow(/ESRCH/);
  });

  test('a member that comes back without its data is kept out, and the others go on', async () => {
    const process = dev();
    const line = await process.line('stdout', /^ready /);
    const { members } = JSON.parse(line.slice('ready '.length)) as {
      readonly members: readonly { readonly pid: number }[];
    };
    global.process.kill((members[1] as { readonly pid: number }).pid, 'SIGKILL');
    const again = await process.line('stderr', /^start it again: /);
    const args = again.slice(again.indexOf('serve ')).split(' ');
    const anew = start(...args, `--data-dir=${join(directory, 'anew')}`);
    await expectError(anew, /^error FLOTILLA_PEER_OTHER_INSTANCE: .*lost its data/);
    expect(await (await fetch(`http://127.0.0.1:${base}/health`)).json()).toEqual({
      health: 'true',
      reason: '',
    });
    await ready(start(...args));
    expect((await process.stop()).code).toBe(0);
  });

  test('keeps no data with --memory', async () => {
    const process = dev('--memory', '--nodes=1');
    const line = await process.line('stdout', /^ready /);
    const { dataDir } = JSON.parse(line.slice('ready '.length)) as { readonly dataDir: string };
    expect(existsSync(dataDir)).toBe(true);
    expect((await process.stop()).code).toBe(0);
    expect(existsSync(dataDir)).toBe(false);
    expect(existsSync(join(directory, 'data'))).toBe(false);
  });

  test('members end with the process that started them', async () => {
    const process = dev();
    const line = await process.line('stdout', /^ready /);
    const { members } = JSON.parse(line.slice('ready '.length)) as {
      readonly members: readonly { readonly pid: number }[];
    };
    await process.stop('SIGKILL');
    for (const { pid } of members) await gone(pid);
  });
});

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
