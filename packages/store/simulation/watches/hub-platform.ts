import { crc32 } from 'node:zlib';
import {
  type Disk,
  type Logger,
  type Network,
  type Platform,
  seededRandom,
  type Timer,
} from '@flotilla/platform';
import type { OrderingWorld } from '../ordering/world.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Whoever lets time go on. */
export interface HubDriver {
  /** Promises are to be let go on before anything else happens. */
  stirred(): void;
  failed(error: unknown): void;
}

/** The simulated world, as one life of a node's hub sees it. */
export class HubPlatform implements Platform {
  readonly nodeName = 'hub';
  readonly random = seededRandom(1);
  readonly log = silent;
  readonly tracing = false;
  readonly #world: OrderingWorld;
  readonly #isUp: () => boolean;
  readonly #driver: HubDriver;

  constructor(world: OrderingWorld, isUp: () => boolean, driver: HubDriver) {
    this.#world = world;
    this.#isUp = isUp;
    this.#driver = driver;
  }

  get disk(): Disk {
    throw new Error('a hub has no disk');
  }

  get network(): Network {
    throw new Error('a hub is told what comes over the network');
  }

  now(): number {
    return this.#world.now;
  }

  wallClock(): number {
    return this.#world.now;
  }

  timer(delayMs: number, _label: string, callback: () => void): Timer {
    let cancelled = false;
    this.#world.at(delayMs, () => {
      if (!cancelled && this.#isUp()) callback();
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  defer(callback: () => void): void {
    this.timer(0, 'defer', callback);
  }

  spawn(_label: string, task: () => Promise<void>): void {
    this.#driver.stirred();
    task().catch((error: unknown) => this.#driver.failed(error));
  }

  checksum(bytes: Uint8Array, seed?: number): number {
    return crc32(bytes, seed);
  }

  trace(): void {
    // Nobody listens.
  }
}
