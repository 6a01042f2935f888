import { FlotillaError } from '@flotilla/platform';
import type { ErrorCode } from '@flotilla/platform';
import type { DiskImage } from './disk-image.ts';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import { SimEvent } from './sim-event.ts';
import type { SimInode } from './sim-inode.ts';
import type { World } from './world.ts';

type Refusal = 'NOT_FOUND' | 'EXISTS' | 'FULL' | 'LOCKED' | 'IO';

const reasons: Readonly<Record<Refusal, string>> = {
  NOT_FOUND: 'no such file or directory',
  EXISTS: 'it exists',
  FULL: 'no space left on device',
  LOCKED: 'it is locked',
  IO: 'input/output error',
};

/** Where every operation passes: counts it, may crash the node at it, and lets it complete later. */
export class DiskGate {
  readonly #life: Life;
  readonly #world: World;
  readonly #image: DiskImage;

  constructor(life: Life) {
    this.#life = life;
    this.#world = life.node.world;
    this.#image = life.node.disk;
  }

  /** An operation that completes a little later. `changing` names it when it changes the disk: a crash may hit it. */
  perform<T>(changing: string | null, action: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#life.dead) return;
      const complete = (): void => {
        try {
          const done = { value: null as T | null };
          const act = (): void => {
            done.value = action();
          };
          if (changing === null) act();
          else this.performNow(changing, act);
          if (!this.#life.dead) resolve(done.value as T);
        } catch (cause) {
          reject(cause);
        }
      };
      this.#world.schedule(this.#world.settings.accessMs, new DiskEvent(this.#life, complete));
    });
  }

  performNow(what: string, action: () => void): void {
    const crash = this.#crashHere();
    if (crash === 'before') {
      this.#crash(`when it was about to ${what}`);
      return;
    }
    action();
    if (crash === 'after') this.#crash(`right after it did ${what}`);
  }

  /** Writes all of `bytes`, or what an injected fault leaves of them. */
  write(inode: SimInode, path: string, position: number, bytes: Uint8Array): void {
    this.performNow(`write ${path}`, () => {
      const { faults } = this.#image;
      if (faults.failingWrites > 0) {
        faults.failingWrites -= 1;
        this.refuse('IO', `write ${path} at offset ${position}`, true);
      }
      if (faults.full && position + bytes.length > inode.bytes.size) {
        // Part of the bytes may have found room before there was none left.
        const room = this.#world.tape.choose(bytes.length + 1, 'bytes written before the disk is full');
        if (room > 0) inode.write(position, bytes.subarray(0, room));
        this.refuse('FULL', `write ${path} at offset ${position}`, true);
      }
      if (bytes.length > 0) inode.write(position, bytes);
    });
  }

  /**
   * A sync that its process waits for without doing anything else: whatever comes for it meanwhile comes behind.
   *
   * @returns whether it was done; false when the process was killed at it.
   */
  syncNow(
    what: string,
    sync: { readonly started: () => void; readonly done: (ok: boolean) => void },
  ): boolean {
    const crash = this.#crashHere();
    if (crash === 'before') {
      this.#crash(`when it was about to ${what}`);
      return false;
    }
    sync.started();
    const fails = this.#image.faults.failingSyncs > 0;
    if (fails) this.#image.faults.failingSyncs -= 1;
    const record = this.#world.recorder?.syncStarted(this.#life.node.name, what) ?? null;
    this.#life.blockedUntilMs = Math.max(this.#life.blockedUntilMs, this.#world.now) + this.#syncMs();
    sync.done(!fails);
    if (record !== null) {
      record.toMs = this.#life.blockedUntilMs;
      record.failed = fails;
    }
    if (crash === 'after') {
      this.#crash(`right after it did ${what}`);
      return false;
    }
    if (fails) throw this.#error('IO', what, true);
    return true;
  }

  sync(what: string, done: (ok: boolean) => void, started?: () => void): Promise<void> {
    if (this.#life.dead) return never();
    const crash = this.#crashHere();
    if (crash === 'before') {
      this.#crash(`when it was about to ${what}`);
      return never();
    }
    started?.();
    const fails = this.#image.faults.failingSyncs > 0;
    if (fails) this.#image.faults.failingSyncs -= 1;
    const record = this.#world.recorder?.syncStarted(this.#life.node.name, what) ?? null;
    return new Promise((resolve, reject) => {
      const complete = (): void => {
        done(!fails);
        if (record !== null) {
          record.toMs = this.#world.now;
          record.failed = fails;
        }
        if (crash === 'after') this.#crash(`right after it did ${what}`);
        else if (fails) reject(this.#error('IO', what, true));
        else resolve();
      };
      this.#world.schedule(this.#syncMs(), new DiskEvent(this.#life, complete));
    });
  }

  refuse(refusal: Refusal, what: string, injected = false): never {
    throw this.#error(refusal, what, injected);
  }

  #error(refusal: Refusal, what: string, injected: boolean): FlotillaError {
    const code: ErrorCode = `FLOTILLA_DISK_${refusal}`;
    const error = new FlotillaError(code, `cannot ${what}: ${reasons[refusal]}`);
    if (injected) {
      this.#life.inject(error);
      this.#world.coverage.count(`disk error ${refusal.toLowerCase()}`);
    }
    return error;
  }

  #crashHere(): 'before' | 'after' | null {
    this.#image.operations += 1;
    const { faults } = this.#image;
    if (faults.crashAtOperation === 0 || this.#life.dead) return null;
    faults.crashAtOperation -= 1;
    if (faults.crashAtOperation > 0) return null;
    return this.#world.tape.choose(2, 'crash before or after the disk operation') === 0 ? 'before' : 'after';
  }

  #crash(when: string): void {
    const { node } = this.#life;
    const lost = node.crash({ unreachable: false });
    this.#world.fault('crash at a disk operation', `crash ${node.name} ${when}: ${lost}`);
    node.onStopped?.(new FlotillaError('FLOTILLA_SIMULATED_CRASH', `crashed ${when}`));
  }

  #syncMs(): number {
    const { settings, tape } = this.#world;
    const { faults } = this.#image;
    const range = settings.syncMaxMs - settings.syncMinMs;
    let delayMs = (settings.syncMinMs + (range * tape.choose(64, 'sync time')) / 63) * faults.slowFactor;
    if (tape.chance(settings.stallPerMille, 1000, 'sync stalls')) {
      delayMs += (settings.stallMaxMs * (1 + tape.choose(64, 'stall time'))) / 64;
      this.#world.coverage.count('sync stalled');
    }
    // What is under way when the disk is mended must not outlast every patience.
    return Math.min(Math.max(delayMs, faults.stalledUntil - this.#world.now), limits.syncMaxMs);
  }
}

/** A disk operation completes. */
export class DiskEvent extends SimEvent {
  readonly #complete: () => void;

  constructor(life: Life, complete: () => void) {
    super(life, 4);
    this.#complete = complete;
  }

  fire(): void {
    this.#complete();
  }
}

/** What is asked of a life that is over is never answered. */
export function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
