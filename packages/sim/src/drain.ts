import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { FlotillaError, assert } from '@flotilla/platform';

/**
 * Runs every promise reaction that is ready, and those that become ready meanwhile, before it returns. With it one
 * event of the simulation, however many `await`s it passes, is over before the next one starts.
 *
 * Node's own `process._tickCallback` does this between two callbacks of the event loop; it is not documented but has
 * been there in every version since 0.10. Where it is missing, V8's own microtask checkpoint stands in, which also runs
 * all reactions but reports unhandled rejections only after the run.
 */
export const drainPromises: () => void = findDrain();

function findDrain(): () => void {
  const candidate: unknown = Reflect.get(process, '_tickCallback');
  if (typeof candidate === 'function') return () => Reflect.apply(candidate, process, []);
  setFlagsFromString('--allow-natives-syntax');
  // The syntax exists only after the flag is set, so it cannot be part of a source file.
  const checkpoint: unknown = runInThisContext('() => %PerformMicrotaskCheckpoint()');
  assert(typeof checkpoint === 'function', 'the script is a function');
  return () => Reflect.apply(checkpoint, undefined, []);
}

/**
 * Calls `action` from the event loop itself. Promises cannot be drained from within a promise reaction, and that is
 * where the body of an `async` function (a test, a command) usually runs.
 *
 * @example
 * const result = await fromEventLoop(() => scenario.run(generatedTape(7)));
 */
export function fromEventLoop<T>(action: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(action());
      } catch (cause) {
        reject(cause);
      }
    });
  });
}

/** Throws unless {@link drainPromises} works here. */
export function assertDrainable(): void {
  let drained = false;
  void Promise.resolve().then(() => {
    drained = true;
  });
  drainPromises();
  if (!drained) {
    throw new FlotillaError(
      'FLOTILLA_SIMULATION_NESTED',
      'a simulation cannot run inside a promise reaction: call it through fromEventLoop(() => …)',
    );
  }
}
