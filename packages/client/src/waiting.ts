import type { ClientWorld } from './platform.ts';

type Clock = ClientWorld['platform'];

/** Resolves after a time, or when the signal aborts. */
export function sleep(platform: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const wake = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = platform.timer(Math.max(0, delayMs), 'client waits', wake);
    signal?.addEventListener('abort', wake);
  });
}

/** What `promise` answers, or `missing` when that takes longer than `timeoutMs` or the signal aborts first. */
export function within<T, M>(
  platform: Clock,
  promise: Promise<T>,
  missing: M,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | M> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      timer.cancel();
      signal?.removeEventListener('abort', giveUp);
    };
    const giveUp = (): void => {
      done();
      resolve(missing);
    };
    const timer = platform.timer(Math.max(0, timeoutMs), 'client waits', giveUp);
    signal?.addEventListener('abort', giveUp);
    if (signal?.aborted === true) giveUp();
    promise.then(
      (value) => {
        done();
        resolve(value);
      },
      (error: unknown) => {
        done();
        reject(error);
      },
    );
  });
}

/** A pause that doubles from `minMs` to `maxMs`, between half and all of it, so that clients do not come back as one. */
export function backoffMs(platform: Clock, tries: number, minMs: number, maxMs: number): number {
  const longest = Math.min(minMs * 2 ** Math.min(tries, 30), maxMs);
  return longest * (0.5 + platform.random.float() / 2);
}

/** A signal that aborts when one of the others does. `release` lets go of them. */
export function joinSignals(...signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  const given = signals.filter((signal) => signal !== undefined);
  const listeners = given.map((signal) => {
    const listener = (): void => controller.abort(signal.reason);
    if (signal.aborted) listener();
    else signal.addEventListener('abort', listener);
    return () => signal.removeEventListener('abort', listener);
  });
  return {
    signal: controller.signal,
    release: () => {
      for (const remove of listeners) remove();
    },
  };
}

/** A promise and the functions that settle it (`Promise.withResolvers` of later versions of Node). */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}
