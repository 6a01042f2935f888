import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FlotillaError, type Logger, type Platform } from '@flotilla/platform';
import { nodePlatform } from '@flotilla/platform/node';
import { openLmdb } from '@flotilla/store/lmdb';
import type { MethodTable, RpcServer } from '@flotilla/wire';
import { type Configuration, configure, type LogLevel } from '../configuration/configuration.ts';
import { LineSplitter } from '../maelstrom/line-splitter.ts';
import { limits } from '../maelstrom/limits.ts';
import { MaelstromNode, type Place } from '../maelstrom/maelstrom-node.ts';
import { Member } from '../member/member.ts';
import { nodeAuth } from '../node/auth/auth-adapters.ts';
import { reportError } from './errors.ts';
import { stderrLogger } from './logger.ts';
import { subcommand } from './subcommand.ts';

/**
 * `flotilla maelstrom`: a node of a test of Maelstrom (https://github.com/jepsen-io/maelstrom), which starts it and
 * speaks with it in lines of JSON: workloads `lin-kv`, `txn-list-append` and `txn-rw-register`. The standard output has
 * messages and nothing else. Ends with its input; its data is of no use then, and is removed.
 */
export async function run(args: readonly string[]): Promise<number> {
  const command = subcommand('maelstrom', 'be a node of a Maelstrom test, on standard input and output')
    .option('--heartbeat-interval <ms>', 'as of a member', '100')
    .option('--election-timeout <ms>', 'as of a member', '1000')
    .option('--log-level <level>', 'debug, info, warn, error', 'warn');
  command.parse(args, { from: 'user' });
  const options = command.opts<Options>();
  if (!isLogLevel(options.logLevel)) {
    throw new FlotillaError('FLOTILLA_USAGE', `--log-level: there is no ${options.logLevel}`);
  }
  // Whatever is wrong with times is told before anybody asks.
  settingsOf(options, { host: 'm1', hosts: ['m1'] }, 'nowhere');
  process.on('uncaughtException', endWith);
  process.on('unhandledRejection', endWith);
  removeLeftDirectories();
  const directory = mkdtempSync(join(tmpdir(), `${DIRECTORY_PREFIX}${process.pid}-`));
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
  await new NodeProcess(options, directory, stderrLogger('maelstrom', options.logLevel)).run();
  return 0;
}

interface Options {
  readonly heartbeatInterval: string;
  readonly electionTimeout: string;
  readonly logLevel: string;
}

class NodeProcess {
  readonly #options: Options;
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #platform: Platform;
  #member: Member | null = null;

  constructor(options: Options, directory: string, logger: Logger) {
    this.#options = options;
    this.#directory = directory;
    this.#logger = logger;
    this.#platform = nodePlatform({ nodeName: 'maelstrom', logger, onFatal: endWith });
  }

  async run(): Promise<void> {
    const node = new MaelstromNode({
      platform: this.#platform,
      send: (line, mayBeLost) => {
        if (mayBeLost && process.stdout.writableLength > limits.outputBytes) return;
        process.stdout.write(`${line}\n`);
      },
      startMember: (place) => this.#startMember(place),
    });
    const lines = new LineSplitter(limits.lineBytes, () => {
      this.#logger.warn('a line was dropped', { reason: `it is longer than ${limits.lineBytes} bytes` });
    });
    await new Promise<void>((resolve) => {
      process.stdin.on('data', (chunk: Buffer) => {
        for (const line of lines.push(chunk)) node.receive(line);
      });
      process.stdin.on('end', resolve);
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => resolve());
    });
    await this.#member?.stop();
  }

  async #startMember(place: Place): Promise<MethodTable> {
    const configuration = settingsOf(this.#options, place, this.#directory);
    let methods: MethodTable | null = null;
    this.#member = await Member.start({
      platform: { ...this.#platform, nodeName: place.host, network: place.network },
      configuration,
      onFatal: endWith,
      auth: await nodeAuth(configuration),
      openStorage: (directory, tables) => Promise.resolve(openLmdb(directory, tables)),
      // Its clients are asked for by messages: nobody comes to a port.
      listen: async ({ services, address }) => {
        methods = services;
        return serverOfNobody(address);
      },
    });
    if (methods === null) throw new FlotillaError('FLOTILLA_ASSERTION', 'a member listens for clients');
    return methods;
  }
}

function serverOfNobody(address: RpcServer['address']): RpcServer {
  return { address, close: () => Promise.resolve(), destroy: () => Promise.resolve() };
}

const PEER_PORT = 2380;
const CLIENT_PORT = 2379;

function settingsOf(
  { heartbeatInterval, electionTimeout }: Options,
  { host, hosts }: Pick<Place, 'host' | 'hosts'>,
  directory: string,
): Configuration {
  const peer = (name: string): string => `http://${name}:${PEER_PORT}`;
  return configure(
    new Map([
      ['name', host],
      ['data-dir', join(directory, host)],
      ['listen-peer-urls', peer('0.0.0.0')],
      ['initial-advertise-peer-urls', peer(host)],
      ['listen-client-urls', `http://0.0.0.0:${CLIENT_PORT}`],
      ['advertise-client-urls', `http://${host}:${CLIENT_PORT}`],
      ['initial-cluster', hosts.map((name) => `${name}=${peer(name)}`).join(',')],
      ['heartbeat-interval', heartbeatInterval],
      ['election-timeout', electionTimeout],
    ]),
  );
}

const DIRECTORY_PREFIX = 'flotilla-maelstrom-';

/** Maelstrom ends its nodes with SIGKILL: who comes next removes what they have left. */
function removeLeftDirectories(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(DIRECTORY_PREFIX)
      ? /^[0-9]+/.exec(name.slice(DIRECTORY_PREFIX.length))
      : null;
    if (pid !== null && !runs(Number(pid[0]))) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function isLogLevel(text: string): text is LogLevel {
  return ['debug', 'info', 'warn', 'error', 'fatal'].includes(text);
}

function endWith(error: unknown): never {
  reportError(error);
  process.exit(1);
}
