import { promisify } from 'node:util';
import { limits } from '../../limits.ts';
import type { Handle } from '../handles.ts';
import type { ProgramRuntime } from '../runtime.ts';

const longestMs = 2 ** 31 - 1;

type Callback = (...values: unknown[]) => unknown;

/** What `setTimeout` and `setInterval` answer. */
export class Timeout {
  readonly #runtime: ProgramRuntime;
  readonly #delayMs: number;
  readonly #repeats: boolean;
  readonly #call: () => void;
  readonly #id: number;
  #timer: { cancel(): void } | null = null;
  #handle: Handle | null = null;
  #hasRef = true;

  constructor(runtime: ProgramRuntime, id: number, delayMs: number, repeats: boolean, call: () => void) {
    this.#runtime = runtime;
    this.#id = id;
    this.#delayMs = delayMs;
    this.#repeats = repeats;
    this.#call = call;
    this.#arm();
  }

  ref(): this {
    this.#hasRef = true;
    this.#handle?.ref();
    return this;
  }

  unref(): this {
    this.#hasRef = false;
    this.#handle?.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#hasRef;
  }

  /** Begins anew, with the delay that it was made with. */
  refresh(): this {
    this.#timer?.cancel();
    this.#arm();
    return this;
  }

  close(): this {
    this.#timer?.cancel();
    this.#timer = null;
    this.#handle?.close();
    this.#handle = null;
    return this;
  }

  [Symbol.toPrimitive](): number {
    return this.#id;
  }

  [Symbol.dispose ?? Symbol.for('nodejs.dispose')](): void {
    this.close();
  }

  #arm(): void {
    if (this.#handle === null) {
      this.#handle = this.#runtime.handles.open();
      if (!this.#hasRef) this.#handle.unref();
    }
    this.#timer = this.#runtime.timer(this.#delayMs, this.#repeats ? 'setInterval' : 'setTimeout', () =>
      this.#fire(),
    );
  }

  #fire(): void {
    if (this.#repeats) this.#arm();
    else this.close();
    this.#call();
  }
}

/** What `setImmediate` answers. */
export class Immediate {
  readonly #timer: { cancel(): void };
  readonly #handle: Handle;

  constructor(runtime: ProgramRuntime, call: () => void) {
    this.#handle = runtime.handles.open();
    this.#timer = runtime.timer(limits.immediateMs, 'setImmediate', () => {
      this.#handle.close();
      call();
    });
  }

  ref(): this {
    this.#handle.ref();
    return this;
  }

  unref(): this {
    this.#handle.unref();
    return this;
  }

  hasRef(): boolean {
    return this.#handle.hasRef;
  }

  close(): void {
    this.#timer.cancel();
    this.#handle.close();
  }
}

/** `node:timers` and `node:timers/promises` on the clock of a node. */
export class ProgramTimers {
  readonly module: Record<string, unknown>;
  readonly promises: Record<string, unknown>;
  readonly #runtime: ProgramRuntime;
  readonly #byId = new Map<number, Timeout>();
  #lastId = 0;

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    this.promises = this.#promises();
    const custom = (name: string): object => ({ value: this.promises[name] });
    const setTimeout = (call: Callback, delayMs?: unknown, ...values: unknown[]): Timeout =>
      this.timeout(call, delayMs, values, false);
    const setInterval = (call: Callback, delayMs?: unknown, ...values: unknown[]): Timeout =>
      this.timeout(call, delayMs, values, true);
    const setImmediate = (call: Callback, ...values: unknown[]): Immediate => {
      requireFunction(call);
      return new Immediate(runtime, () => call(...values));
    };
    Object.defineProperty(setTimeout, promisify.custom, custom('setTimeout'));
    Object.defineProperty(setImmediate, promisify.custom, custom('setImmediate'));
    const clear = (timer: unknown): void => this.#clear(timer);
    this.module = {
      setTimeout, setInterval, setImmediate, clearTimeout: clear, clearInterval: clear, clearImmediate: clear, promises: this.promises,
    }; // prettier-ignore
  }

  timeout(call: Callback, delayMs: unknown, values: readonly unknown[], repeats: boolean): Timeout {
    requireFunction(call);
    const asked = Number(delayMs);
    const delay = asked >= 1 && asked <= longestMs ? Math.trunc(asked) : 1;
    const id = (this.#lastId += 1);
    const timeout = new Timeout(this.#runtime, id, delay, repeats, () => {
      if (!repeats) this.#byId.delete(id);
      call(...values);
    });
    this.#byId.set(id, timeout);
    return timeout;
  }

  #clear(timer: unknown): void {
    const found = typeof timer === 'object' ? timer : this.#byId.get(Number(timer));
    if (!(found instanceof Timeout || found instanceof Immediate)) return;
    if (found instanceof Timeout) this.#byId.delete(Number(found));
    found.close();
  }

  #promises(): Record<string, unknown> {
    const wait = async <T>(begin: (done: () => void) => Timeout | Immediate, value: T, options: WaitOptions = {}): Promise<T> => {
      const { signal, ref } = options;
      if (signal?.aborted === true) throw aborted(signal);
      let stop = (): void => undefined;
      const waited = new Promise<T>((resolve, reject) => {
        const timer = begin(() => resolve(value));
        if (ref === false) timer.unref();
        stop = () => {
          timer.close();
          reject(aborted(signal));
        };
      });
      signal?.addEventListener('abort', stop, { once: true });
      // (With a signal it takes some reactions more, as in Node.)
      return signal === undefined ? await waited : await waited.finally(() => signal.removeEventListener('abort', stop));
    }; // prettier-ignore
    const setTimeout = (delayMs?: number, value?: unknown, options?: WaitOptions): Promise<unknown> =>
      wait((done) => this.timeout(done, delayMs, [], false), value, options);
    const setImmediate = (value?: unknown, options?: WaitOptions): Promise<unknown> =>
      wait((done) => new Immediate(this.#runtime, done), value, options);
    async function* setInterval(delayMs?: number, value?: unknown, options?: WaitOptions): AsyncGenerator {
      for (;;) {
        await setTimeout(delayMs, undefined, options);
        yield value;
      }
    }
    const scheduler = {
      wait: (delayMs: number, options?: WaitOptions) => setTimeout(delayMs, undefined, options),
      yield: () => setImmediate(),
    };
    return { setTimeout, setImmediate, setInterval, scheduler };
  }
}

interface WaitOptions {
  readonly signal?: AbortSignal;
  readonly ref?: boolean;
}

function aborted(signal: AbortSignal | undefined): Error {
  const error = new Error('The operation was aborted', { cause: signal?.reason });
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

function requireFunction(call: unknown): void {
  if (typeof call === 'function') return;
  const error = new TypeError('The "callback" argument must be of type function.');
  throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}
