import { EventEmitter } from 'node:events';
import { isAbsolute, resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { ProgramRuntime } from '../runtime.ts';
import { thrownWords } from '../runtime.ts';
import { trackedModule } from '../tracked.ts';
import { workingDirectory } from './fs.ts';
import { OutputStream } from './output.ts';

const realProcess = process;

/** What says of a process only which Node it is. */
const facts = ['allowedNodeEnvironmentFlags', 'config', 'features', 'release', 'version', 'versions'];

/** `process`: one life of a node. */
export function processOf(runtime: ProgramRuntime): Record<string, unknown> {
  const { node, number } = runtime.life;
  const { mainPath, argv, environment } = runtime.options;
  const emitter = new EventEmitter();
  const stdout = new OutputStream(runtime, 1);
  const stderr = new OutputStream(runtime, 2);
  const sinceStartMs = (): number => runtime.platform.now() - startMs;
  const startMs = runtime.platform.now();
  const nanoseconds = (): bigint => BigInt(Math.round(runtime.platform.now() * 1e6));
  const hrtime = (before?: [number, number]): [number, number] => {
    const at =
      nanoseconds() - (before === undefined ? 0n : BigInt(before[0]) * 1_000_000_000n + BigInt(before[1]));
    return [Number(at / 1_000_000_000n), Number(at % 1_000_000_000n)];
  };
  let directory = workingDirectory;
  const own: Record<string, unknown> = {
    abort: () => runtime.exit(134, `called process.abort() at ${runtime.place()}`),
    arch: 'x64',
    argv: ['/usr/bin/node', mainPath, ...argv],
    argv0: 'node',
    chdir: (to: string) => {
      if (!isAbsolute(to) || to !== workingDirectory) runtime.uncontrolled('process chdir', () => (directory = resolve(to)));
    },
    cwd: () => directory,
    emitWarning: (warning: unknown) => runtime.print(`(warning) ${thrownWords(warning)}`, 'error'),
    env: { ...environment },
    execArgv: [],
    execPath: '/usr/bin/node',
    exit: (code?: number | string) =>
      runtime.exit(exitCode(code ?? result['exitCode']), `called process.exit() at ${runtime.place()}`),
    reallyExit: (code?: number) => runtime.exit(exitCode(code), `called process.reallyExit() at ${runtime.place()}`),
    exitCode: undefined,
    getegid: () => 0, geteuid: () => 0, getgid: () => 0, getuid: () => 0, getgroups: () => [0],
    hrtime: Object.assign(hrtime, { bigint: nanoseconds }),
    nextTick: (callback: (...values: unknown[]) => unknown, ...values: unknown[]) => runtime.tick(callback, values),
    pid: 1000 * (node.index + 1) + number,
    platform: 'linux',
    ppid: 1,
    report: undefined,
    setUncaughtExceptionCaptureCallback: (call: ((error: unknown) => void) | null) => {
      emitter.removeAllListeners('uncaughtException');
      if (call !== null) emitter.on('uncaughtException', call);
    },
    stderr,
    stdin: Readable.from([]),
    stdout,
    title: 'node',
    umask: () => 0o22,
    uptime: () => sinceStartMs() / 1000,
  }; // prettier-ignore
  runtime.beforeExit = () => {
    emitter.emit('beforeExit', exitCode(result['exitCode']));
    return exitCode(result['exitCode']);
  };
  runtime.exiting = (code) => {
    emitter.emit('exit', code);
    for (const output of [stdout, stderr]) output.flush();
  };
  runtime.life.handlesError = (cause) => handled(emitter, cause);
  const result: Record<string, unknown> = trackedModule(runtime, 'process', realProcess, {
    own,
    pure: facts,
  });
  for (const method of emitterMethods) result[method] = bound(emitter, method, result);
  return result;
}

const emitterMethods = [
  'addListener', 'emit', 'eventNames', 'getMaxListeners', 'listenerCount', 'listeners', 'off', 'on', 'once',
  'prependListener', 'prependOnceListener', 'rawListeners', 'removeAllListeners', 'removeListener', 'setMaxListeners',
] as const; // prettier-ignore

/** A method of the emitter that answers the process where it would answer itself. */
function bound(emitter: EventEmitter, method: (typeof emitterMethods)[number], self: object): unknown {
  const call = emitter[method] as (...values: unknown[]) => unknown;
  return (...values: unknown[]): unknown => {
    const answer: unknown = Reflect.apply(call, emitter, values);
    return answer === emitter ? self : answer;
  };
}

/** Errors that nobody has caught go to listeners where the program has some, as in Node. */
function handled(emitter: EventEmitter, cause: unknown): boolean {
  if (cause instanceof Error && cause.name === 'ProcessEnded') return true;
  if (emitter.listenerCount('uncaughtException') === 0) return false;
  emitter.emit('uncaughtException', cause, 'uncaughtException');
  return true;
}

function exitCode(code: unknown): number {
  return code === undefined || code === null ? 0 : Number(code) & 255;
}
