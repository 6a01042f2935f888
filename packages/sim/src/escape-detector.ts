import { createRequire, syncBuiltinESMExports } from 'node:module';
import { FlotillaError } from '@flotilla/platform';
import { addTick, takeTicks } from './tick-queue.ts';
import type { Tick } from './tick-queue.ts';

/**
 * While a simulation runs, whatever reaches around the platform throws `FLOTILLA_ESCAPED_SIMULATION` with a stack:
 * clocks, timers, entropy, sockets, files, processes. One such call makes a run depend on the machine, and a seed that
 * does not repeat is worth nothing.
 *
 * Guards are put in place by {@link enterSimulation} and taken away by {@link leaveSimulation}, with only synchronous
 * code between the two, so nothing outside of the simulation ever meets them. Calls by Node's own internals pass: they
 * serve the promise drain, stack traces and the console.
 */
export function enterSimulation(): void {
  depth += 1;
  if (depth > 1) return;
  guards ??= allGuards();
  for (const guard of guards) Reflect.set(guard.target, guard.key, guard.replacement);
  // Named imports of built-in modules are copies; this brings them up to date.
  syncBuiltinESMExports();
}

export function leaveSimulation(): void {
  depth -= 1;
  if (depth > 0) return;
  for (const guard of guards ?? []) Reflect.set(guard.target, guard.key, guard.original);
  syncBuiltinESMExports();
  ticksAreFree = false;
  // Node's own, such as those of what the console writes to.
  for (const { callback, values } of takeTicks()) process.nextTick(callback, ...values);
}

/**
 * From now until the simulation ends nobody asks who calls `process.nextTick`: whole programs run, with many streams, and
 * looking at the stack each time was a fifth of their run.
 */
export function freeTicks(): void {
  ticksAreFree = depth > 0;
}

/** Calls what is knowingly let through. */
export function outsideSimulation<T>(action: () => T): T {
  const before = depth;
  if (before === 0) return action();
  depth = 1;
  leaveSimulation();
  try {
    return action();
  } finally {
    enterSimulation();
    depth = before;
  }
}

/** How many simulations are going on, one inside the other. */
export function escapeDepth(): number {
  return depth;
}

/** The first escape since the last call, also when the simulated code has swallowed its error. */
export function takeEscape(): FlotillaError | null {
  const result = firstEscape;
  firstEscape = null;
  return result;
}

interface Guard {
  readonly target: object;
  readonly key: string;
  readonly original: unknown;
  readonly replacement: unknown;
}

type AnyFunction = (...values: unknown[]) => unknown;

let depth = 0;
let ticksAreFree = false;
let guards: Guard[] | null = null;
let firstEscape: FlotillaError | null = null;

/** Modules whose every function is a way out. */
const guardedModules = [
  'fs',
  'fs/promises',
  'net',
  'tls',
  'http',
  'https',
  'http2',
  'dgram',
  'dns',
  'child_process',
  'timers',
  'timers/promises',
];

const entropy = ['randomBytes', 'randomInt', 'randomUUID', 'randomFillSync', 'randomFill', 'getRandomValues'];

function allGuards(): Guard[] {
  const found: Guard[] = [];
  const add = (target: object, prefix: string, keys: readonly string[]): void => {
    for (const key of keys) {
      const original: unknown =
        Object.getOwnPropertyDescriptor(target, key)?.value ?? Reflect.get(target, key);
      if (typeof original !== 'function') continue;
      found.push({ target, key, original, replacement: guarded(`${prefix}${key}`, original as AnyFunction) });
    }
  };
  add(globalThis, '', ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'fetch']);
  add(Math, 'Math.', ['random']);
  add(performance, 'performance.', ['now']);
  found.push({
    target: process,
    key: 'nextTick',
    original: Reflect.get(process, 'nextTick'),
    replacement: guardedTick(),
  });
  add(process, 'process.', ['hrtime', 'cpuUsage', 'memoryUsage', 'uptime']);
  add(globalThis.crypto, 'crypto.', ['getRandomValues', 'randomUUID']);
  const date = guardedDate();
  found.push({ target: globalThis, key: 'Date', original: Date, replacement: date });
  found.push({ target: Date.prototype, key: 'constructor', original: Date, replacement: date });
  const require = createRequire(import.meta.url);
  add(require('node:crypto') as object, 'node:crypto ', entropy);
  for (const name of guardedModules) {
    const exported = require(`node:${name}`) as object;
    // Classes and accessors stay: what they are good for starts with one of the functions.
    const functions = Object.keys(exported).filter((key) => /^[a-z]/.test(key) && isWritable(exported, key));
    add(exported, `node:${name} `, functions);
  }
  return found;
}

function isWritable(target: object, key: string): boolean {
  return Object.getOwnPropertyDescriptor(target, key)?.writable === true;
}

function guarded(name: string, original: AnyFunction): AnyFunction {
  const guard = function (this: unknown, ...values: unknown[]): unknown {
    if (calledByNode(guard)) return Reflect.apply(original, this, values);
    return escape(name);
  };
  return Object.assign(guard, original);
}

/** Node's own streams put off work in this way, which is in order: it is done within the event. */
function guardedTick(): AnyFunction {
  const guard = (callback: unknown, ...values: unknown[]): unknown => {
    if (!ticksAreFree && !calledByNode(guard)) return escape('process.nextTick');
    addTick(callback as Tick, values);
    return undefined;
  };
  return guard;
}

/** A date from parts is a pure computation; only the current time is not. */
function guardedDate(): DateConstructor {
  return new Proxy(Date, {
    construct(target, values: unknown[], newTarget): object {
      return values.length === 0
        ? escape('new Date()')
        : (Reflect.construct(target, values, newTarget) as object);
    },
    apply(): never {
      return escape('Date()');
    },
    get(target, key, receiver): unknown {
      return key === 'now' ? escapeDateNow : Reflect.get(target, key, receiver);
    },
  });
}

function escapeDateNow(): number {
  return calledByNode(escapeDateNow) ? 0 : escape('Date.now');
}

function escape(name: string): never {
  const error = new FlotillaError(
    'FLOTILLA_ESCAPED_SIMULATION',
    `${name} was called during a simulation: reach the world through Platform`,
  );
  firstEscape ??= error;
  throw error;
}

/** Whether the function that called `callee` is part of Node itself. */
function calledByNode(callee: AnyFunction): boolean {
  const { stackTraceLimit } = Error;
  const prepareStackTrace: unknown = Reflect.get(Error, 'prepareStackTrace');
  Error.prepareStackTrace = (_error, frames) => frames;
  Error.stackTraceLimit = 1;
  const holder: { stack?: NodeJS.CallSite[] } = {};
  Error.captureStackTrace(holder, callee);
  const caller = holder.stack?.[0]?.getFileName() ?? '';
  Reflect.set(Error, 'prepareStackTrace', prepareStackTrace);
  Error.stackTraceLimit = stackTraceLimit;
  return caller.startsWith('node:');
}
