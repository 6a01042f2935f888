import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlotillaError } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { SimPlatform } from '../sim-platform.ts';
import { ModuleInstances } from './module-instances.ts';
import type { Namespace } from './module-instances.ts';
import { ModuleUnits } from './module-unit.ts';
import type { SourceTransform } from './module-unit.ts';
import { programNotFound } from './program-error.ts';
import { isFile, realPath } from './program-files.ts';
import { ProgramRuntime, thrownWords } from './runtime.ts';
import type { UncontrolledPolicy } from './runtime.ts';
import { Files } from './shims/files.ts';
import { workingDirectory } from './shims/fs.ts';

export interface ProgramOptions {
  /**
   * What becomes of modules and functions of Node that the simulation does not control, such as `node:child_process`.
   * `refuse`, the default: their first use is a violation. `allow`, or a list of names (`node:zlib`, `node:zlib gzip`):
   * they do what they do, and every report of the run says so.
   */
  readonly uncontrolled?: UncontrolledPolicy;
  /** Makes JavaScript of each source of the program, as a compiler of TypeScript does. */
  readonly transform?: SourceTransform;
}

export interface ProgramStart {
  /** Behind the name of the program: `process.argv.slice(2)`. */
  readonly arguments?: readonly string[];
  /** `process.env`, and nothing else is in it. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Files that the machine has before the program runs on it for the first time, by their paths. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  /**
   * `judged`, the default: an exit code other than 0 is a violation, unless a fault came before it. `restarted`: any
   * exit stops the node, which the nemesis starts again, as a supervisor does.
   */
  readonly exits?: 'judged' | 'restarted';
}

/** A program that runs on a node, in its present life. */
export interface RunningProgram {
  /** What its main module exports. */
  readonly exports: Readonly<Record<string, unknown>>;
  /** The last lines that it wrote to its standard output and its standard error. */
  readonly output: readonly string[];
  /** The last of them, for reports. */
  readonly lastLine: string;
}

/**
 * A program in JavaScript as it is, for Node: its clock, timers, network, files and random numbers are those of the
 * node that it runs on. Read and compiled once; every life of a node has its own instance of all its modules.
 *
 * @example
 * const server = loadProgram(new URL('./server.mjs', import.meta.url));
 * await simulate({ name: 'locks' }, async (sim) => {
 *   sim.nodes(2, (platform) => server.start(platform, { arguments: ['--port', '7000'] }));
 *   …
 * });
 */
export class Program {
  /** The file of its main module. */
  readonly path: string;
  readonly #units: ModuleUnits;
  readonly #uncontrolled: UncontrolledPolicy;

  /** @internal See {@link loadProgram}. */
  constructor(path: string, options: ProgramOptions) {
    this.path = path;
    this.#units = new ModuleUnits(dirname(path), options.transform);
    this.#uncontrolled = options.uncontrolled ?? 'refuse';
    this.#units.unit(path);
  }

  /**
   * Runs the program as the process of a node: for `sim.nodes`. As in Node it ends when it has nothing left to do.
   * Settles when its modules have come to their ends, and rejects with `FLOTILLA_PROGRAM_THREW` when one throws.
   */
  async start(platform: Platform, start: ProgramStart = {}): Promise<RunningProgram> {
    const runtime = this.#runtime(platform, start, true);
    runtime.endWhenIdle();
    const exports = await this.#load(runtime);
    runtime.loaded = true;
    return new Running(runtime, exports);
  }

  /** Takes the program for a library: its exports, on a node whose process is another one, such as a client. */
  async import<Exports extends object>(platform: Platform, start: ProgramStart = {}): Promise<Exports> {
    return (await this.#load(this.#runtime(platform, start, false))) as Exports;
  }

  #runtime(platform: Platform, start: ProgramStart, endsIdle: boolean): ProgramRuntime {
    if (!(platform instanceof SimPlatform)) {
      throw new FlotillaError(
        'FLOTILLA_INVALID_ARGUMENT',
        'a program is started on the platform of a simulated node',
      );
    }
    const runtime = new ProgramRuntime(platform, {
      units: this.#units,
      mainPath: this.path,
      uncontrolled: this.#uncontrolled,
      argv: start.arguments ?? [],
      environment: start.environment ?? {},
      exits: start.exits ?? 'judged',
      endsIdle,
    });
    const { disk } = runtime.life.node;
    for (const directory of [workingDirectory, '/tmp', dirname(this.path)]) {
      for (let made = directory; !disk.directories.has(made); made = dirname(made))
        disk.directories.add(made);
    }
    if (runtime.life.number === 1) {
      const files = new Files(runtime);
      for (const [path, content] of Object.entries(start.files ?? {}))
        files.place(resolve(workingDirectory, path), content);
    }
    return runtime;
  }

  async #load(runtime: ProgramRuntime): Promise<Namespace> {
    try {
      return await new ModuleInstances(runtime).import({ type: 'file', path: this.path });
    } catch (cause) {
      const isOurs = cause instanceof FlotillaError && /^FLOTILLA_(?:PROGRAM|ESCAPED)_/.test(cause.code);
      if (runtime.life.dead || isOurs) throw cause;
      const error = new FlotillaError('FLOTILLA_PROGRAM_THREW', `${this.#units.shortName(this.path)} threw while it was loaded: ${thrownWords(cause)}`, { cause }); // prettier-ignore
      if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack;
      throw error;
    }
  }
}

/**
 * Reads a program and all that it imports.
 *
 * @param path of its main module: an ECMAScript module or CommonJS, by the rules of Node.
 * @throws FlotillaError `FLOTILLA_PROGRAM_NOT_FOUND`; `FLOTILLA_PROGRAM_INVALID` when it, or what it imports, is no
 * program.
 */
export function loadProgram(path: string | URL, options: ProgramOptions = {}): Program {
  const name = resolve(typeof path === 'string' && !path.startsWith('file:') ? path : fileURLToPath(path));
  if (!isFile(name)) throw programNotFound(name);
  return new Program(realPath(name), options);
}

class Running implements RunningProgram {
  readonly exports: Readonly<Record<string, unknown>>;
  readonly #runtime: ProgramRuntime;

  constructor(runtime: ProgramRuntime, exports: Readonly<Record<string, unknown>>) {
    this.#runtime = runtime;
    this.exports = exports;
  }

  get output(): readonly string[] {
    return this.#runtime.output;
  }

  get lastLine(): string {
    return this.#runtime.output.at(-1) ?? '';
  }
}
