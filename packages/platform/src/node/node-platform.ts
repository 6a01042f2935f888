import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { FlotillaError, messageOf } from '../errors.ts';
import type { Logger, Platform, Timer, TraceDetail } from '../platform.ts';
import { seededRandom } from '../random.ts';
import { limits } from './limits.ts';
import { NodeDisk } from './node-disk.ts';
import { NodeNetwork } from './node-network.ts';

export interface NodePlatformOptions {
  readonly nodeName: string;
  readonly logger: Logger;
  /**
   * Called at the first error that nobody handled: a spawned task that failed, or a callback that threw. The member
   * must not go on; the usual answer is to log and to exit. Later ones are only logged.
   */
  readonly onFatal: (error: Error) => void;
  /** Of {@link Platform.random}; from the system's entropy unless given. */
  readonly seed?: number;
  /** Receives trace events. Without it tracing costs nothing. */
  readonly onTrace?: (kind: string, detail: TraceDetail) => void;
}

/**
 * The platform of a real process: `node:net`, `node:tls`, `node:fs` and timers.
 *
 * @example
 * const platform = nodePlatform({ nodeName: 'n1', logger, onFatal: (error) => { logger.error(error.message); process.exit(1); } });
 */
export function nodePlatform(options: NodePlatformOptions): Platform {
  let failed = false;
  const fail = (cause: unknown): void => {
    const error = cause instanceof Error ? cause : new FlotillaError('FLOTILLA_ASSERTION', messageOf(cause));
    if (failed) {
      options.logger.error('another failure after a fatal one', { error: error.message });
      return;
    }
    failed = true;
    options.onFatal(error);
  };
  const { onTrace } = options;
  return {
    nodeName: options.nodeName,
    now: () => performance.now(),
    wallClock: () => Date.now(),
    timer: (delayMs, _label, callback) => new NodeTimer(delayMs, callback, fail),
    defer: deferredCalls(fail),
    random: seededRandom(options.seed ?? randomBytes(4).readUInt32LE()),
    network: new NodeNetwork(options.logger, fail),
    disk: new NodeDisk(),
    spawn: (label, task) => {
      task().catch((cause: unknown) => {
        options.logger.error('task failed', { task: label, error: messageOf(cause) });
        fail(cause);
      });
    },
    checksum: (bytes, seed) => crc32(bytes, seed),
    log: options.logger,
    trace: onTrace ?? (() => undefined),
    tracing: onTrace !== undefined,
  };
}

class NodeTimer implements Timer {
  #handle: NodeJS.Timeout | null;
  readonly #due: number;
  readonly #callback: () => void;
  readonly #fail: (cause: unknown) => void;

  constructor(delayMs: number, callback: () => void, fail: (cause: unknown) => void) {
    this.#callback = callback;
    this.#fail = fail;
    this.#due = performance.now() + delayMs;
    this.#handle = setTimeout(this.#fire, clampDelay(delayMs));
  }

  cancel(): void {
    if (this.#handle !== null) clearTimeout(this.#handle);
    this.#handle = null;
  }

  readonly #fire = (): void => {
    // libuv counts whole milliseconds of a cached clock and so may call up to one millisecond too early.
    const missing = this.#due - performance.now();
    if (missing > 0) {
      this.#handle = setTimeout(this.#fire, clampDelay(missing));
      return;
    }
    this.#handle = null;
    try {
      this.#callback();
    } catch (cause) {
      this.#fail(cause);
    }
  };
}

function clampDelay(delayMs: number): number {
  return Math.min(Math.max(Math.ceil(delayMs), 0), limits.timerMaxMs);
}

/** One `setImmediate` for all that is deferred in a turn: it runs after the poll phase, when I/O was handled. */
function deferredCalls(fail: (cause: unknown) => void): (callback: () => void) => void {
  let waiting: (() => void)[] = [];
  const drain = (): void => {
    const batch = waiting;
    waiting = [];
    for (const callback of batch) {
      try {
        callback();
      } catch (cause) {
        fail(cause);
      }
    }
  };
  return (callback) => {
    if (waiting.length === 0) setImmediate(drain);
    waiting.push(callback);
  };
}
