import { Script } from 'node:vm';
import { enterSimulation, escapeDepth, leaveSimulation } from '../escape-detector.ts';
import { takeTicks } from '../tick-queue.ts';

/**
 * Runs `action` for at most `limitMs` of real time; with Infinity nobody watches. Promises that wake each other for ever, or a loop without an end,
 * cannot be left from within: V8 has to break them off, which it does for scripts that have a time limit.
 *
 * @returns false when it was broken off. Then nothing of what was going on has any clean end: no `finally` ran.
 */
export function finishesWithin(limitMs: number, action: () => void): boolean {
  if (limitMs === Infinity) {
    action();
    return true;
  }
  const depth = escapeDepth();
  const listeners = process.listeners('unhandledRejection');
  const before: unknown = Reflect.get(globalThis, slot);
  let thrown: { readonly cause: unknown } | null = null;
  // Kept apart, so that only the script's own end by time is taken for one.
  const guarded = (): void => {
    try {
      action();
    } catch (cause) {
      thrown = { cause };
    }
  };
  Reflect.set(globalThis, slot, guarded);
  try {
    script.runInThisContext({ timeout: limitMs });
  } catch (cause) {
    if (codeOf(cause) !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw cause;
    takeTicks();
    forgetAsyncContexts();
    while (escapeDepth() > depth) leaveSimulation();
    while (escapeDepth() < depth) enterSimulation();
    process.removeAllListeners('unhandledRejection');
    for (const listener of listeners) process.on('unhandledRejection', listener);
    return false;
  } finally {
    Reflect.set(globalThis, slot, before);
  }
  const failed = thrown as { readonly cause: unknown } | null;
  if (failed !== null) throw failed.cause;
  return true;
}

/**
 * What was broken off has left no asynchronous context, where somebody uses `AsyncLocalStorage`, and Node ends a process
 * in which the contexts do not match. It clears them itself when it is told of an uncaught error that is handled.
 */
function forgetAsyncContexts(): void {
  const fatal: unknown = Reflect.get(process, '_fatalException');
  if (typeof fatal !== 'function' || process.hasUncaughtExceptionCaptureCallback()) return;
  process.setUncaughtExceptionCaptureCallback(() => {});
  try {
    Reflect.apply(fatal, process, [new Error('a simulation was broken off'), false]);
  } finally {
    process.setUncaughtExceptionCaptureCallback(null);
  }
}

const slot = Symbol.for('flotilla.simulation.phase');
const script = new Script(`globalThis[Symbol.for('flotilla.simulation.phase')]()`);

function codeOf(cause: unknown): unknown {
  return cause instanceof Error ? Reflect.get(cause, 'code') : undefined;
}
