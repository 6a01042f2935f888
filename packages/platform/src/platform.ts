import type { Disk } from './disk.ts';
import type { Network } from './network.ts';
import type { Random } from './random.ts';

/**
 * The outside world. Rings 0 and 1 reach it through this interface only, so that a whole cluster runs unchanged in
 * the simulator, deterministically, in one thread.
 *
 * One platform belongs to one node and one life of it. When the node crashes, its platform goes silent: timers do not
 * fire, promises do not settle, and whatever is still called has no effect.
 */
export interface Platform {
  /** Names the node in traces and logs. */
  readonly nodeName: string;
  /** Monotonic milliseconds since an arbitrary start, with fractions. */
  now(): number;
  /** Milliseconds since 1970. May jump either way; nothing that must be correct depends on it. */
  wallClock(): number;
  /** Calls back once, `delayMs` or more from now. The label names it in traces. */
  timer(delayMs: number, label: string, callback: () => void): Timer;
  /**
   * Calls back after the I/O that this event-loop turn has ready was handled: the place where a turn's inputs are
   * drained, once. Callbacks run in the order in which they were deferred.
   */
  defer(callback: () => void): void;
  readonly random: Random;
  readonly network: Network;
  readonly disk: Disk;
  /** Runs a task that dies with the node. A rejection is a bug or a fatal fault: it stops the node. */
  spawn(label: string, task: () => Promise<void>): void;
  /** CRC-32 (IEEE, as zlib) of `bytes`, continued from `seed`. */
  checksum(bytes: Uint8Array, seed?: number): number;
  readonly log: Logger;
  /** Emits an event for monitors and replays. Free when nobody listens: guard costly details with {@link tracing}. */
  trace(kind: string, detail: TraceDetail): void;
  readonly tracing: boolean;
}

export interface Timer {
  /** Idempotent; does nothing once the timer has fired. */
  cancel(): void;
}

export type TraceDetail = Readonly<Record<string, string | number | bigint | boolean | null>>;

/** For people. Never called per request. */
export interface Logger {
  debug(message: string, fields?: TraceDetail): void;
  info(message: string, fields?: TraceDetail): void;
  warn(message: string, fields?: TraceDetail): void;
  error(message: string, fields?: TraceDetail): void;
}
