import { crc32 } from 'node:zlib';
import { seededRandom } from '@flotilla/platform';
import type { Disk, Logger, Network, Platform, Random, Timer, TraceDetail } from '@flotilla/platform';
import type { Life } from './life.ts';
import { LifeNetwork } from './life-network.ts';
import { SimDisk } from './sim-disk.ts';
import { SimEvent } from './sim-event.ts';
import type { World } from './world.ts';

/** The platform of one life. When the life is over it goes silent: nothing it is asked for has any effect. */
export class SimPlatform implements Platform {
  readonly nodeName: string;
  readonly random: Random;
  readonly network: Network;
  readonly disk: Disk;
  readonly log: Logger;
  /** @internal For what stands in for Node itself, which needs more of a life than a platform shows. */
  readonly life: Life;
  readonly #world: World;
  #turn: TurnEvent | null = null;

  constructor(life: Life) {
    this.life = life;
    this.#world = life.node.world;
    this.nodeName = life.node.name;
    const seed = this.#world.tape.choose(0x8000_0000, 'random seed of a life');
    // Unlike for each node and life also on a tape of zeros: equal election time-outs would tie for ever.
    this.random = seededRandom(seed).fork(`${this.nodeName} ${life.number}`);
    this.network = new LifeNetwork(life);
    this.disk = new SimDisk(life);
    this.log = new TraceLogger(life);
  }

  now(): number {
    return this.life.node.clock.now();
  }

  wallClock(): number {
    return this.life.node.clock.wall();
  }

  timer(delayMs: number, label: string, callback: () => void): Timer {
    const { recorder } = this.#world;
    const fired =
      recorder === null
        ? callback
        : () => {
            recorder.timerFired(this.nodeName, label);
            callback();
          };
    const event = new TimerEvent(this.life, fired);
    if (!this.life.dead) {
      this.#world.schedule(this.life.node.clock.worldDuration(Math.max(delayMs, 0)), event);
    }
    return event;
  }

  defer(callback: () => void): void {
    if (this.life.dead) return;
    const turn = this.#turn;
    if (turn !== null && !turn.fired) {
      turn.callbacks.push(callback);
      return;
    }
    const next = new TurnEvent(this.life);
    next.callbacks.push(callback);
    this.#turn = next;
    const { turnMaxMs } = this.#world.settings;
    this.#world.schedule(
      turnMaxMs === 0 ? 0 : (turnMaxMs * this.#world.tape.choose(16, 'turn length')) / 15,
      next,
    );
  }

  spawn(_label: string, task: () => Promise<void>): void {
    if (this.life.dead) return;
    const life = this.life;
    task().catch((cause: unknown) => life.node.failed(life, cause));
  }

  checksum(bytes: Uint8Array, seed?: number): number {
    return crc32(bytes, seed);
  }

  trace(kind: string, detail: TraceDetail): void {
    if (this.#world.tracing) this.#world.emit(this.life, kind, detail);
  }

  get tracing(): boolean {
    return this.#world.tracing;
  }
}

class TimerEvent extends SimEvent implements Timer {
  readonly #callback: () => void;
  #fired: boolean;

  constructor(life: Life, callback: () => void) {
    super(life, 2);
    this.#callback = callback;
    this.#fired = false;
  }

  cancel(): void {
    if (this.#fired || this.cancelled) return;
    this.life?.node.world.cancel(this);
  }

  fire(): void {
    this.#fired = true;
    this.#callback();
  }
}

/** Everything that one event-loop turn has deferred. */
class TurnEvent extends SimEvent {
  readonly callbacks: (() => void)[];
  fired: boolean;

  constructor(life: Life) {
    super(life, 3);
    this.callbacks = [];
    this.fired = false;
  }

  fire(): void {
    this.fired = true;
    for (const callback of this.callbacks) {
      if (this.life?.dead === true) return;
      try {
        callback();
      } catch (cause) {
        this.life?.node.world.failed(cause);
      }
    }
  }
}

/** Log lines are trace events here: reports show them in time order with everything else. */
class TraceLogger implements Logger {
  readonly #life: Life;

  constructor(life: Life) {
    this.#life = life;
  }

  debug(message: string, fields?: TraceDetail): void {
    this.#write('debug', message, fields);
  }

  info(message: string, fields?: TraceDetail): void {
    this.#write('info', message, fields);
  }

  warn(message: string, fields?: TraceDetail): void {
    this.#write('warn', message, fields);
  }

  error(message: string, fields?: TraceDetail): void {
    this.#write('error', message, fields);
  }

  #write(level: string, message: string, fields: TraceDetail = {}): void {
    const { world } = this.#life.node;
    if (world.tracing) world.emit(this.#life, 'log', { level, message, ...fields });
  }
}
