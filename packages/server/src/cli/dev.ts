import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { FlotillaError, messageOf } from '@flotilla/platform';
import { limits } from '../limits.ts';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla dev`: a cluster on this machine, each member a process of its own. Prints one line on stdout when all
 * serve; everything for people goes to stderr.
 */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('dev', 'start a cluster on this machine')
    .option('--nodes <count>', 'members, 1 to 9', '3')
    .option('--data-dir <directory>', 'where data is kept and found again', 'flotilla-data')
    .option(
      '--base-port <port>',
      'member i has client port P + 2(i - 1), and the next port for peers',
      '2379',
    )
    .option('--memory', 'keep no data', false)
    .option('--shards <count>', 'split the keys over so many shards', '1');
  command.parse(args, { from: 'user' });
  const cluster = new DevelopmentCluster(planOf(command.opts()));
  return await cluster.run();
}

interface Plan {
  readonly members: readonly PlannedMember[];
  readonly dataDirectory: string;
  /** The data directory is removed at the end. */
  readonly memory: boolean;
  /** 1: the cluster is left as it is. */
  readonly shards: number;
}

interface PlannedMember {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  readonly args: readonly string[];
}

interface RunningMember {
  readonly plan: PlannedMember;
  readonly process: ChildProcess;
  /** Resolves when it serves, rejects when it ends before. */
  readonly ready: Promise<void>;
  /** Resolves when the process has ended. */
  readonly ended: Promise<void>;
}

const HOST = '127.0.0.1';
const launcher = fileURLToPath(new URL('../../bin/flotilla.js', import.meta.url));

class DevelopmentCluster {
  readonly #plan: Plan;
  #running: RunningMember[] = [];
  #stopping = false;

  constructor(plan: Plan) {
    this.#plan = plan;
  }

  async run(): Promise<number> {
    const stopped = new Promise<void>((resolveStopped) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolveStopped());
      if (process.env['npm_command'] !== undefined) whenParentEnds(resolveStopped);
    });
    try {
      await Promise.all(this.#plan.members.map((member) => requireFreePorts(member)));
      prepareDirectory(this.#plan.dataDirectory);
      this.#running = this.#plan.members.map((member) => this.#start(member));
      const allReady = Promise.all(this.#running.map((member) => member.ready));
      const served = allReady.then(() => this.#shards());
      const outcome = await Promise.race([served, stopped.then(() => 'stopped' as const)]);
      if (outcome !== 'stopped') {
        this.#announce(outcome);
        await Promise.race([stopped, this.#allEnded()]);
      }
      return await this.#stop();
    } catch (error) {
      await this.#stop();
      throw error;
    }
  }

  #start(plan: PlannedMember): RunningMember {
    const child = spawn(process.execPath, [launcher, 'serve', ...plan.args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FLOTILLA_SUPERVISED: '1' },
    });
    let lastError = '';
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', (line) => {
      if (line.startsWith('error FLOTILLA_')) lastError = line;
      else console.error(`${plan.name}: ${line}`);
    });
    const ended = new Promise<void>((resolveEnded) => child.once('close', () => resolveEnded()));
    const ready = new Promise<void>((resolveReady, reject) => {
      let serves = false;
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (line !== 'ready to serve client requests') return;
        serves = true;
        resolveReady();
      });
      child.once('close', (code, signal) => {
        if (serves) this.#reportEnd(plan, child, lastError, signal ?? `exit code ${code}`);
        else reject(startError(plan, lastError, signal ?? `exit code ${code}`));
      });
    });
    // Whoever waits for all of them sees the first rejection; the others have nothing to add.
    ready.catch(() => undefined);
    return { plan, process: child, ready, ended };
  }

  get #endpoints(): readonly string[] {
    return this.#plan.members.map((member) => `http://${HOST}:${member.clientPort}`);
  }

  /** How many there are; null: nobody has asked for shards. */
  async #shards(): Promise<number | null> {
    const { shards } = this.#plan;
    if (shards === 1) return null;
    const { beginShards } = await import('./shards/begin-shards.ts');
    return await beginShards(this.#endpoints, shards);
  }

  #announce(shards: number | null): void {
    const endpoints = this.#endpoints;
    const members = this.#running.map(({ plan, process: child }) => ({ name: plan.name, pid: child.pid }));
    const dataDir = this.#plan.dataDirectory;
    const facts = { endpoints, dataDir, members, ...(shards === null ? {} : { shards }) };
    console.log(`ready ${JSON.stringify(facts)}`);
    console.error(`try: etcdctl --endpoints=${endpoints.join(',')} put greeting hello`);
    console.error('stop with Ctrl-C');
  }

  #reportEnd(plan: PlannedMember, child: ChildProcess, lastError: string, how: string): void {
    if (this.#stopping) return;
    const detail = lastError === '' ? '' : ` (${lastError})`;
    console.error(`error FLOTILLA_MEMBER_ENDED: ${plan.name} (pid ${child.pid}) ended by ${how}${detail}`);
    console.error(`start it again: npx flotilla serve ${plan.args.join(' ')}`);
  }

  async #allEnded(): Promise<never> {
    await Promise.all(this.#running.map((member) => member.ended));
    // A stop ends them all too; let it be seen first.
    await new Promise((resolveLater) => setTimeout(resolveLater, limits.lastMemberEndedGraceMs));
    if (this.#stopping) return await new Promise<never>(() => undefined);
    throw new FlotillaError('FLOTILLA_MEMBER_ENDED', 'no member is left');
  }

  async #stop(): Promise<number> {
    this.#stopping = true;
    for (const member of this.#running) member.process.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const member of this.#running) member.process.kill('SIGKILL');
    }, limits.memberStopMs);
    await Promise.all(this.#running.map((member) => member.ended));
    clearTimeout(timer);
    if (this.#plan.memory) rmSync(this.#plan.dataDirectory, { recursive: true, force: true });
    return 0;
  }
}

/**
 * npm and npx run a command in a shell of its own, send their signals to that shell, and the shell dies of SIGTERM
 * without a word to us: the cluster would stay behind, holding its ports. That shell never ends before we do for any
 * other reason.
 */
function whenParentEnds(listener: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    listener();
  }, limits.parentCheckMs);
  timer.unref();
}

function startError(plan: PlannedMember, lastError: string, how: string): FlotillaError {
  const match = /^error (FLOTILLA_[A-Z_]+): (.*)$/.exec(lastError);
  if (match === null) return new FlotillaError('FLOTILLA_MEMBER_ENDED', `${plan.name} ended by ${how}`);
  const hint =
    match[1] === 'FLOTILLA_PEER_SET_CHANGED'
      ? '; give the --nodes and --base-port that it was made with, or another --data-dir'
      : '';
  return new FlotillaError(match[1] as FlotillaError['code'], `${plan.name}: ${match[2]}${hint}`);
}

function planOf(options: {
  readonly nodes: string;
  readonly dataDir: string;
  readonly basePort: string;
  readonly memory: boolean;
  readonly shards?: string;
}): Plan {
  const nodes = integer('--nodes', options.nodes, 1, limits.developmentMembers);
  const basePort = integer('--base-port', options.basePort, 1, 65_536 - 2 * nodes);
  const dataDirectory = options.memory ? temporaryDirectory() : resolve(options.dataDir);
  const names = Array.from({ length: nodes }, (_, i) => `n${i + 1}`);
  const peerUrl = (i: number): string => `http://${HOST}:${basePort + 2 * i + 1}`;
  const initialCluster = names.map((name, i) => `${name}=${peerUrl(i)}`).join(',');
  const members = names.map((name, i): PlannedMember => {
    const clientUrl = `http://${HOST}:${basePort + 2 * i}`;
    return {
      name,
      clientPort: basePort + 2 * i,
      peerPort: basePort + 2 * i + 1,
      args: [
        `--name=${name}`,
        `--data-dir=${join(dataDirectory, name)}`,
        `--listen-client-urls=${clientUrl}`,
        `--advertise-client-urls=${clientUrl}`,
        `--listen-peer-urls=${peerUrl(i)}`,
        `--initial-advertise-peer-urls=${peerUrl(i)}`,
        `--initial-cluster=${initialCluster}`,
        '--initial-cluster-token=flotilla-dev',
        '--log-level=warn',
      ],
    };
  });
  const shards = integer('--shards', options.shards ?? '1', 1, limits.shardsAtBegin);
  return { members, dataDirectory, memory: options.memory, shards };
}

/** In memory where the system has a file system for that; either way it is gone afterwards. */
function temporaryDirectory(): string {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  return mkdtempSync(join(parent, 'flotilla-'));
}

function prepareDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new FlotillaError('FLOTILLA_DATA_DIRECTORY', `cannot make ${directory}: ${messageOf(error)}`);
  }
}

/** Says which port is taken before any member has touched its data. */
async function requireFreePorts(member: PlannedMember): Promise<void> {
  for (const port of [member.clientPort, member.peerPort]) {
    await new Promise<void>((resolveFree, reject) => {
      const probe = createServer();
      probe.once('error', (error: NodeJS.ErrnoException) => {
        const taken = error.code === 'EADDRINUSE';
        reject(
          new FlotillaError(
            taken ? 'FLOTILLA_ADDRESS_IN_USE' : 'FLOTILLA_ADDRESS_UNAVAILABLE',
            taken
              ? `port ${port} on ${HOST} is in use (wanted by ${member.name}); give --base-port another one`
              : `cannot listen on ${HOST}:${port}: ${error.message}`,
          ),
        );
      });
      probe.listen({ host: HOST, port, exclusive: true }, () => probe.close(() => resolveFree()));
    });
  }
}

function integer(flag: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^[0-9]{1,9}$/.test(text) || value < least || value > most) {
    throw new FlotillaError(
      'FLOTILLA_CONFIGURATION',
      `${flag} ${JSON.stringify(text)}: must be an integer from ${least} to ${most}`,
    );
  }
  return value;
}
