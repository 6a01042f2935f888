import * as buffer from 'node:buffer';
import * as diagnostics from 'node:diagnostics_channel';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import * as url from 'node:url';
import * as util from 'node:util';
import type { GlobalName } from './global-names.ts';
import { globalsOf, performanceOf } from './globals.ts';
import type { ProgramRuntime } from './runtime.ts';
import { ProgramCrypto } from './shims/crypto.ts';
import { dnsOf } from './shims/dns.ts';
import { FileSystem, workingDirectory } from './shims/fs.ts';
import { httpOf } from './shims/http.ts';
import { netOf } from './shims/net.ts';
import { osOf } from './shims/os.ts';
import { processOf } from './shims/process.ts';
import { ProgramTimers } from './shims/timers.ts';
import { trackedModule } from './tracked.ts';

const { posix } = path;
const require = createRequire(import.meta.url);

/** Modules that compute and neither wait, draw nor reach the outside. */
const pureModules = new Set([
  'assert', 'assert/strict', 'constants', 'events', 'path/win32',
  'punycode', 'querystring', 'readline', 'readline/promises', 'stream', 'stream/consumers', 'stream/promises',
  'stream/web', 'string_decoder', 'util/types',
]); // prettier-ignore

/** What is pure of the others. The rest of `node:zlib` works on threads of the machine. */
const pureParts: Readonly<Record<string, readonly string[]>> = {
  zlib: ['codes', 'constants', 'crc32', 'brotliCompressSync', 'brotliDecompressSync', 'deflateRawSync', 'deflateSync', 'gunzipSync', 'gzipSync', 'inflateRawSync', 'inflateSync', 'unzipSync'],
  worker_threads: ['isMainThread', 'parentPort', 'threadId', 'workerData', 'resourceLimits', 'SHARE_ENV'],
  cluster: ['isMaster', 'isPrimary', 'isWorker'],
  tty: ['isatty'],
}; // prettier-ignore

/** Node's modules as one life of a program sees them, each made when it is asked for. */
export class Builtins {
  readonly globals: Readonly<Record<GlobalName, unknown>>;
  readonly #runtime: ProgramRuntime;
  readonly #made = new Map<string, object>();
  readonly #own: Readonly<Record<string, () => object>>;

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    const timers = new ProgramTimers(runtime);
    const crypto = new ProgramCrypto(runtime);
    const process = processOf(runtime);
    this.globals = globalsOf(runtime, { timers, crypto, process });
    const files = once(() => new FileSystem(runtime));
    const dns = once(() => dnsOf(runtime));
    const paths = pathOf();
    this.#own = {
      buffer: () => ({ ...buffer, Blob: this.globals.Blob, File: this.globals.File }),
      console: () => this.globals.console as object,
      crypto: () => crypto.module,
      diagnostics_channel: () => channelsOf(runtime),
      dns: () => dns().module,
      'dns/promises': () => dns().promises,
      fs: () => files().module,
      'fs/promises': () => files().promises,
      http: () => httpOf(runtime),
      net: () => netOf(runtime),
      os: () => osOf(runtime),
      path: () => paths,
      'path/posix': () => paths,
      perf_hooks: () => this.#tracked('perf_hooks', { performance: performanceOf(runtime) }),
      process: () => process,
      sys: () => utilOf(runtime),
      timers: () => timers.module,
      'timers/promises': () => timers.promises,
      url: () => ({
        ...url,
        pathToFileURL: (path: string) => url.pathToFileURL(posix.resolve(workingDirectory, path)),
      }),
      util: () => utilOf(runtime),
    };
  }

  /** @param name without `node:`. */
  module(name: string): object {
    let made = this.#made.get(name);
    if (made === undefined) {
      made = pureModules.has(name)
        ? (require(`node:${name}`) as object)
        : (this.#own[name]?.() ?? this.#tracked(name, {}));
      this.#made.set(name, made);
    }
    return made;
  }

  #tracked(name: string, own: Record<string, unknown>): object {
    const real = require(`node:${name}`) as object;
    return trackedModule(this.#runtime, `node:${name}`, real, { own, pure: pureParts[name] ?? [] });
  }
}

/** `parseArgs` reads the arguments of the process where it is given none. */
function utilOf({ options }: ProgramRuntime): object {
  const parseArgs = (config: util.ParseArgsConfig = {}): unknown =>
    util.parseArgs({ ...config, args: config.args ?? [...options.argv] });
  return { ...util, parseArgs };
}

/** Paths without a beginning begin where the program is, and not where the simulation is. */
function pathOf(): object {
  const resolve = (...parts: string[]): string => posix.resolve(workingDirectory, ...parts);
  const relative = (from: string, to: string): string => posix.relative(resolve(from), resolve(to));
  const own: Record<string, unknown> = { ...posix, resolve, relative, win32: path.win32 };
  own['posix'] = own;
  return own;
}

/** Channels by their names, which every life has to itself. */
function channelsOf(runtime: ProgramRuntime): object {
  const names = new Map<string | symbol, symbol>();
  const own = (name: string | symbol): symbol => {
    const known = names.get(name) ?? Symbol(String(name));
    names.set(name, known);
    return known;
  };
  const { channel, hasSubscribers, subscribe, unsubscribe, Channel } = diagnostics;
  return trackedModule(runtime, 'node:diagnostics_channel', diagnostics, {
    own: {
      Channel,
      channel: (name: string) => channel(own(name)),
      hasSubscribers: (name: string) => hasSubscribers(own(name)),
      subscribe: (name: string, listener: diagnostics.ChannelListener) => subscribe(own(name), listener),
      unsubscribe: (name: string, listener: diagnostics.ChannelListener) => unsubscribe(own(name), listener),
    },
    pure: [],
  });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
