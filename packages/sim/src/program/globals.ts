import { Console } from 'node:console';
import type { GlobalName } from './global-names.ts';
import { globalNames } from './global-names.ts';
import type { ProgramRuntime } from './runtime.ts';
import { dateWith } from './shims/date.ts';
import type { ProgramCrypto } from './shims/crypto.ts';
import type { ProgramTimers } from './shims/timers.ts';
import { tracked, trackedModule } from './tracked.ts';

const realPerformance = performance;
const realMath = Math;

/** Those whose every use reaches the outside, or whose answers depend on the collection of garbage. */
const outside: readonly GlobalName[] = [
  'Blob', 'BroadcastChannel', 'CompressionStream', 'DecompressionStream', 'EventSource', 'File', 'FinalizationRegistry', 'MessageChannel', 'PerformanceObserver', 'WeakRef', 'WebSocket', 'fetch',
]; // prettier-ignore

/** The real ones, taken when nothing guards them. */
const originals: Readonly<Record<string, unknown>> = Object.fromEntries(
  outside.map((name) => [name, Reflect.get(globalThis, name) as unknown]),
);

/** The globals of one life, by name. */
export function globalsOf(
  runtime: ProgramRuntime,
  parts: {
    readonly timers: ProgramTimers;
    readonly crypto: ProgramCrypto;
    readonly process: Record<string, unknown>;
  },
): Readonly<Record<GlobalName, unknown>> {
  const { module: timers } = parts.timers;
  const result: Record<string, unknown> = {
    AbortSignal: abortSignalWith(parts.timers),
    Atomics: trackedModule(runtime, 'Atomics', membersOf(Atomics), {
      own: {},
      pure: Object.getOwnPropertyNames(Atomics).filter((name) => !name.startsWith('wait')),
    }),
    Date: dateWith(() => runtime.platform.wallClock()),
    Intl: intlWith(() => runtime.platform.wallClock()),
    Math: mathWith(() => runtime.random.float()),
    WebAssembly: trackedModule(
      runtime,
      'WebAssembly',
      membersOf(Reflect.get(globalThis, 'WebAssembly') as object),
      {
        own: {},
        pure: [
          'Module',
          'Instance',
          'Memory',
          'Table',
          'Global',
          'validate',
          'CompileError',
          'LinkError',
          'RuntimeError',
        ],
      },
    ),
    console: consoleOf(runtime, parts.process),
    crypto: parts.crypto.web,
    navigator: navigatorOf(),
    performance: performanceOf(runtime),
    process: parts.process,
    queueMicrotask: (call: () => void) => {
      void Promise.resolve().then(() => {
        if (runtime.life.dead) return;
        try {
          call();
        } catch (cause) {
          runtime.failed(cause);
        }
      });
    },
  };
  for (const name of outside) result[name] = tracked(runtime, 'the global', name, originals);
  for (const name of globalNames) if (name in timers) result[name] = timers[name];
  // What a program puts there is its node's own.
  const own: object = Object.create(globalThis) as object;
  result['global'] = result['globalThis'] = own;
  for (const [name, value] of Object.entries(result)) {
    Object.defineProperty(own, name, { value, writable: true, configurable: true, enumerable: false });
  }
  return result as Record<GlobalName, unknown>;
}

/** The members of an object whose own are not enumerable. */
function membersOf(object: object): object {
  const names = Object.getOwnPropertyNames(object);
  return Object.fromEntries(names.map((name) => [name, Reflect.get(object, name) as unknown]));
}

/** `Intl`, whose formats of dates take the present one where they are given none. */
function intlWith(wallClock: () => number): typeof Intl {
  const own: object = Object.create(Object.prototype, Object.getOwnPropertyDescriptors(Intl)) as object;
  const DateTimeFormat = new Proxy(Intl.DateTimeFormat, {
    construct: (target, values, newTarget) => withClock(Reflect.construct(target, values, newTarget) as Intl.DateTimeFormat, wallClock), // prettier-ignore
    apply: (target, _self, values: [string?, Intl.DateTimeFormatOptions?]) =>
      withClock(new target(...values), wallClock),
  });
  return Object.defineProperty(own, 'DateTimeFormat', { value: DateTimeFormat }) as typeof Intl;
}

function withClock(format: Intl.DateTimeFormat, wallClock: () => number): Intl.DateTimeFormat {
  const text = format.format.bind(format);
  const parts = format.formatToParts.bind(format);
  Object.defineProperty(format, 'format', { value: (date?: Date | number) => text(date ?? wallClock()) });
  return Object.defineProperty(format, 'formatToParts', {
    value: (date?: Date | number) => parts(date ?? wallClock()),
  });
}

/** There from Node 21 on, where it tells of the machine. */
function navigatorOf(): object | undefined {
  if (!('navigator' in globalThis)) return undefined;
  return { hardwareConcurrency: 1, language: 'en-US', languages: ['en-US'], platform: 'linux', userAgent: `Node.js/${process.versions.node.split('.')[0] ?? ''}` }; // prettier-ignore
}

function mathWith(random: () => number): typeof Math {
  const own: object = Object.create(Object.prototype, Object.getOwnPropertyDescriptors(realMath)) as object;
  return Object.defineProperty(own, 'random', { value: random }) as typeof Math;
}

/** `performance` with the clock of the node. */
export function performanceOf(runtime: ProgramRuntime): Record<string, unknown> {
  const startMs = runtime.platform.now();
  const own = {
    now: () => runtime.platform.now() - startMs,
    timeOrigin: runtime.platform.wallClock(),
    toJSON: () => ({ timeOrigin: own.timeOrigin }),
  };
  const members = Object.getOwnPropertyNames(Object.getPrototypeOf(realPerformance)).filter((name) => name !== 'constructor'); // prettier-ignore
  const real = Object.fromEntries(
    members.map((name) => [name, Reflect.get(realPerformance, name) as unknown]),
  );
  return trackedModule(runtime, 'performance', real, { own, pure: [] });
}

/** Node's own console on the streams of the process; only its clock is another one. */
function consoleOf(runtime: ProgramRuntime, { stdout, stderr }: Record<string, unknown>): Console {
  const own = new Console({
    stdout: stdout as NodeJS.WritableStream,
    stderr: stderr as NodeJS.WritableStream,
    colorMode: false,
  });
  const started = new Map<string, number>();
  const line = (label: string, rest: unknown[]): void => {
    const sinceMs = runtime.platform.now() - (started.get(label) ?? runtime.platform.now());
    own.log(`${label}: ${sinceMs.toFixed(3)}ms`, ...rest);
  };
  return Object.assign(own, {
    Console,
    time: (label = 'default') => void started.set(label, runtime.platform.now()),
    timeLog: (label = 'default', ...rest: unknown[]) => line(label, rest),
    timeEnd: (label = 'default') => {
      line(label, []);
      started.delete(label);
    },
  });
}

/** `AbortSignal.timeout` is a timer. */
function abortSignalWith(timers: ProgramTimers): typeof AbortSignal {
  const timeout = (delayMs: number): AbortSignal => {
    const controller = new AbortController();
    const abort = (): void =>
      controller.abort(new DOMException('The operation was aborted due to timeout', 'TimeoutError'));
    timers.timeout(abort, delayMs, [], false).unref();
    return controller.signal;
  };
  return new Proxy(AbortSignal, {
    get: (target, key, receiver): unknown =>
      key === 'timeout' ? timeout : Reflect.get(target, key, receiver),
  });
}
