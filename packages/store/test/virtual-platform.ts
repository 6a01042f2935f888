import { crc32 } from 'node:zlib';
import { seededRandom } from '@flotilla/platform';
import type { Disk, Logger, Network, Platform, Random, Timer } from '@flotilla/platform';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** A platform whose time is moved by the test. Failed tasks are kept for the test to look at. */
export class VirtualPlatform implements Platform {
  readonly nodeName = 'test';
  readonly random: Random;
  readonly log = silent;
  readonly tracing = false;
  readonly failures: unknown[] = [];
  #now = 0;
  #sequence = 0;
  #crashed = false;
  #timers: Due[] = [];

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  get disk(): Disk {
    throw new Error('these tests have no disk');
  }

  get network(): Network {
    throw new Error('these tests have no network');
  }

  now(): number {
    return this.#now;
  }

  wallClock(): number {
    return this.#now;
  }

  timer(delayMs: number, _label: string, callback: () => void): Timer {
    const timer = { due: this.#now + delayMs, sequence: (this.#sequence += 1), callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  defer(callback: () => void): void {
    this.timer(0, 'defer', callback);
  }

  spawn(_label: string, task: () => Promise<void>): void {
    task().catch((error: unknown) => this.failures.push(error));
  }

  checksum(bytes: Uint8Array, seed?: number): number {
    return crc32(bytes, seed);
  }

  trace(): void {
    // Nobody listens.
  }

  /** From here on nothing fires any more. */
  crash(): void {
    this.#crashed = true;
    this.#timers = [];
  }

  /** Runs all that is due within `byMs`, in order, promises included. */
  async advance(byMs: number): Promise<void> {
    const until = this.#now + byMs;
    await settle();
    for (;;) {
      const next = this.#next(until);
      if (next === null || this.#crashed) break;
      this.#now = Math.max(this.#now, next.due);
      next.callback();
      await settle();
    }
    this.#now = until;
    if (this.failures.length > 0) throw this.failures[0];
  }

  #next(until: number): Due | null {
    let best: Due | null = null;
    for (const timer of this.#timers) {
      if (timer.due > until) continue;
      if (
        best === null ||
        timer.due < best.due ||
        (timer.due === best.due && timer.sequence < best.sequence)
      ) {
        best = timer;
      }
    }
    if (best !== null) this.#timers = this.#timers.filter((other) => other !== best);
    return best;
  }
}

interface Due {
  readonly due: number;
  readonly sequence: number;
  readonly callback: () => void;
}

/** Lets every promise that can settle do so. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}
