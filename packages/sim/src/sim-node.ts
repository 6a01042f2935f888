import { FlotillaError, messageOf } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import { DiskImage } from './disk-image.ts';
import { Life } from './life.ts';
import { NodeClock } from './node-clock.ts';
import { SimPlatform } from './sim-platform.ts';
import type { World } from './world.ts';

/** What runs on a node. Called at each start; a rejection stops the node as a crash does. */
export type NodeMain = (platform: Platform) => void | Promise<void>;

/**
 * A machine with one process on it. Its disk and clock outlast the process; everything else ends with a crash.
 *
 * `down-unreachable`: the machine itself is gone, so nobody is told that its connections are dead.
 */
export class SimNode {
  readonly world: World;
  readonly name: string;
  readonly index: number;
  readonly disk: DiskImage;
  readonly clock: NodeClock;
  life: Life | null = null;
  unreachable = false;
  /** Called after the node stopped by itself because of an error that {@link World.stopsNode} allows. */
  onStopped: ((error: Error) => void) | null = null;
  readonly #main: NodeMain;
  #lives = 0;

  constructor(world: World, name: string, index: number, main: NodeMain) {
    this.world = world;
    this.name = name;
    this.index = index;
    this.#main = main;
    this.disk = new DiskImage(world.tape);
    this.clock = new NodeClock(world);
  }

  get running(): boolean {
    return this.life !== null;
  }

  get paused(): boolean {
    return this.life?.paused === true;
  }

  /** Starts the process; does nothing when it runs. */
  start(): void {
    if (this.life !== null) return;
    this.#lives += 1;
    if (this.unreachable) {
      this.unreachable = false;
      this.world.network.machineBack(this);
    }
    const life = new Life(this, this.#lives);
    this.life = life;
    this.world.recorder?.lifeStarted(this.name, this.#lives);
    const platform = new SimPlatform(life);
    this.world.after(0, () => platform.spawn('main', async () => this.#main(platform)), life);
  }

  /**
   * Ends the process at once, as SIGKILL does. With `unreachable` it is a power cut: peers are not told, and unsynced
   * writes suffer what {@link DiskImage.crash} draws. A killed process alone loses nothing that the kernel has, but
   * the tape may still let a crash hit the disk, which is the harder case.
   *
   * @returns what the disk lost, in words.
   */
  crash(options: { readonly unreachable: boolean } = { unreachable: false }): string {
    const { life } = this;
    if (life === null) return 'nothing';
    this.#end(life);
    this.world.recorder?.lifeEnded(this.name, options.unreachable ? 'power cut' : 'crash');
    this.unreachable = options.unreachable;
    this.world.network.lifeEnded(life, options.unreachable);
    return this.disk.crash();
  }

  /** Stops the process where it stands (SIGSTOP): its events wait, its clock goes on. */
  pause(): void {
    if (this.life === null) return;
    this.life.paused = true;
    this.world.recorder?.paused(this.name);
  }

  resume(): void {
    const { life } = this;
    if (life === null || !life.paused) return;
    life.paused = false;
    this.world.recorder?.resumed(this.name);
    for (const event of life.held.splice(0)) this.world.schedule(0, event);
  }

  /** An error reached the top of `life`. */
  failed(life: Life, cause: unknown): void {
    if (life.dead || life.handlesError?.(cause) === true) return;
    const { world } = this;
    const error = cause instanceof Error ? cause : new FlotillaError('FLOTILLA_ASSERTION', messageOf(cause));
    if (!world.stopsNode(this, error)) {
      const name = error instanceof FlotillaError ? error.code : error.name;
      world.violate(name, `${this.name} failed: ${error.message}`, error.stack ?? null);
      return;
    }
    const lost = this.crash();
    world.fault('node stopped by an error', `${this.name} stopped by itself (${error.message}): ${lost}`);
    this.onStopped?.(error);
  }

  /** The process ends by itself: nothing on the disk is lost, and its kernel closes what is open. */
  exit(): void {
    const { life } = this;
    if (life === null) return;
    this.#end(life);
    this.world.recorder?.lifeEnded(this.name, 'exit');
    this.world.network.processExited(life);
  }

  /** Ends the process without any consequence in the world. */
  abandon(): void {
    if (this.life !== null) this.#end(this.life);
  }

  #end(life: Life): void {
    life.dead = true;
    life.held.length = 0;
    this.life = null;
    this.disk.lifeEnded();
  }
}
