import { FlotillaError } from '@flotilla/platform';
import type { Disk, DiskFile, ErrorCode } from '@flotilla/platform';
import type { DiskImage } from './disk-image.ts';
import type { Life } from './life.ts';
import { limits } from './limits.ts';
import { SimEvent } from './sim-event.ts';
import { SimInode } from './sim-inode.ts';
import type { World } from './world.ts';

/** One life's access to the disk of its node. */
export class SimDisk implements Disk {
  readonly #life: Life;
  readonly #image: DiskImage;
  readonly #gate: DiskGate;

  constructor(life: Life) {
    this.#life = life;
    this.#image = life.node.disk;
    this.#gate = new DiskGate(life);
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    const name = normalize(path);
    return this.#gate.perform(mode === 'create' ? `create ${path}` : null, () => {
      let inode = this.#image.inodes.get(name);
      if (mode === 'create') {
        if (inode !== undefined || this.#image.directories.has(name))
          this.#gate.refuse('EXISTS', `create ${path}`);
        if (!this.#image.directories.has(parentOf(name))) this.#gate.refuse('NOT_FOUND', `create ${path}`);
        if (this.#image.faults.full) this.#gate.refuse('FULL', `create ${path}`, true);
        inode = new SimInode();
        this.#image.rename([[name, inode]], parentOf(name));
      }
      if (inode === undefined) return this.#gate.refuse('NOT_FOUND', `open ${path}`);
      return new SimFile(path, mode, inode, this.#life, this.#gate);
    });
  }

  list(directory: string): Promise<readonly string[]> {
    const name = normalize(directory);
    return this.#gate.perform(null, () => {
      if (!this.#image.directories.has(name)) this.#gate.refuse('NOT_FOUND', `list ${directory}`);
      const names: string[] = [];
      for (const paths of [this.#image.inodes.keys(), this.#image.directories]) {
        for (const path of paths) if (path !== name && parentOf(path) === name) names.push(baseOf(path));
      }
      return names.sort((a, b) => (a < b ? -1 : 1));
    });
  }

  /** Nobody knows when it will be full: that is a fault, which comes at once. */
  freeBytes(): Promise<number> {
    return Promise.resolve(Number.MAX_SAFE_INTEGER);
  }

  exists(path: string): Promise<boolean> {
    const name = normalize(path);
    return this.#gate.perform(null, () => this.#image.inodes.has(name) || this.#image.directories.has(name));
  }

  makeDirectory(path: string): Promise<void> {
    const name = normalize(path);
    return this.#gate.perform(`make directory ${path}`, () => {
      for (let made = name; !this.#image.directories.has(made); made = parentOf(made)) {
        if (this.#image.inodes.has(made)) this.#gate.refuse('EXISTS', `make directory ${path}`);
        this.#image.directories.add(made);
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    const [source, target] = [normalize(from), normalize(to)];
    return this.#gate.perform(`rename ${from} to ${to}`, () => {
      const inode = this.#image.inodes.get(source);
      if (inode === undefined) return this.#gate.refuse('NOT_FOUND', `rename ${from}`);
      if (!this.#image.directories.has(parentOf(target)))
        this.#gate.refuse('NOT_FOUND', `rename ${from} to ${to}`);
      this.#image.rename(
        [
          [source, null],
          [target, inode],
        ],
        parentOf(target),
      );
    });
  }

  unlink(path: string): Promise<void> {
    const name = normalize(path);
    return this.#gate.perform(`unlink ${path}`, () => {
      if (!this.#image.inodes.has(name)) this.#gate.refuse('NOT_FOUND', `unlink ${path}`);
      this.#image.rename([[name, null]], parentOf(name));
    });
  }

  syncDirectory(path: string): Promise<void> {
    const name = normalize(path);
    if (!this.#image.directories.has(name)) {
      return this.#gate.perform(null, () => this.#gate.refuse('NOT_FOUND', `sync directory ${path}`));
    }
    const covered = this.#image.pendingNames(name);
    return this.#gate.sync(`sync directory ${path}`, (ok) => {
      if (ok) this.#image.syncNames(name, covered);
    });
  }

  lock(path: string): Promise<() => Promise<void>> {
    const name = normalize(path);
    return this.#gate.perform(null, () => {
      if (this.#image.locks.has(name)) this.#gate.refuse('LOCKED', `lock ${path}`);
      if (!this.#image.directories.has(parentOf(name))) this.#gate.refuse('NOT_FOUND', `lock ${path}`);
      this.#image.locks.add(name);
      return () => this.#gate.perform(null, () => void this.#image.locks.delete(name));
    });
  }
}

class SimFile implements DiskFile {
  readonly path: string;
  readonly #mode: 'read' | 'write' | 'create';
  readonly #inode: SimInode;
  readonly #life: Life;
  readonly #gate: DiskGate;
  #open = true;

  constructor(path: string, mode: 'read' | 'write' | 'create', inode: SimInode, life: Life, gate: DiskGate) {
    this.path = path;
    this.#mode = mode;
    this.#inode = inode;
    this.#life = life;
    this.#gate = gate;
  }

  size(): number {
    return this.#inode.bytes.size;
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.#gate.perform(null, () => {
      this.#requireOpen('read');
      return this.#inode.bytes.read(position, length);
    });
  }

  write(position: number, bytes: Uint8Array): void {
    if (this.#life.dead) return;
    this.#requireOpen('write');
    if (this.#mode === 'read') this.#gate.refuse('IO', `write ${this.path}: it was opened for reading`);
    this.#gate.performNow(`write ${this.path}`, () => {
      const { faults } = this.#life.node.disk;
      if (faults.failingWrites > 0) {
        faults.failingWrites -= 1;
        this.#gate.refuse('IO', `write ${this.path} at offset ${position}`, true);
      }
      if (faults.full && position + bytes.length > this.#inode.bytes.size) {
        // Part of the bytes may have found room before there was none left.
        const room = this.#life.node.world.tape.choose(
          bytes.length + 1,
          'bytes written before the disk is full',
        );
        if (room > 0) this.#inode.write(position, bytes.subarray(0, room));
        this.#gate.refuse('FULL', `write ${this.path} at offset ${position}`, true);
      }
      if (bytes.length > 0) this.#inode.write(position, bytes);
    });
  }

  truncate(size: number): Promise<void> {
    return this.#gate.perform(`truncate ${this.path}`, () => {
      this.#requireOpen('truncate');
      if (size > this.#inode.bytes.size && this.#life.node.disk.faults.full) {
        this.#gate.refuse('FULL', `extend ${this.path}`, true);
      }
      this.#inode.truncate(size);
    });
  }

  sync(): Promise<void> {
    if (this.#life.dead) return never();
    this.#requireOpen('sync');
    let covered: object | null = null;
    return this.#gate.sync(
      `sync ${this.path}`,
      (ok) => {
        if (covered === null) return;
        if (ok) this.#inode.syncDone(covered);
        else this.#inode.syncFailed(covered);
      },
      () => {
        covered = this.#inode.syncStarts();
      },
    );
  }

  close(): Promise<void> {
    return this.#gate.perform(null, () => {
      this.#open = false;
    });
  }

  #requireOpen(what: string): void {
    if (!this.#open) this.#gate.refuse('IO', `${what} ${this.path}: it is closed`);
  }
}

type Refusal = 'NOT_FOUND' | 'EXISTS' | 'FULL' | 'LOCKED' | 'IO';

const reasons: Readonly<Record<Refusal, string>> = {
  NOT_FOUND: 'no such file or directory',
  EXISTS: 'it exists',
  FULL: 'no space left on device',
  LOCKED: 'it is locked',
  IO: 'input/output error',
};

/** Where every operation passes: counts it, may crash the node at it, and lets it complete later. */
class DiskGate {
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
      this.#life.injectedErrors.add(error);
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

class DiskEvent extends SimEvent {
  readonly #complete: () => void;

  constructor(life: Life, complete: () => void) {
    super(life, 4);
    this.#complete = complete;
  }

  fire(): void {
    this.#complete();
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}

/** Without empty parts and without a slash at the end, so that two spellings of a path are one file. */
function normalize(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return (path.startsWith('/') ? '/' : '') + parts.join('/');
}

function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : slash === 0 ? '/' : path.slice(0, slash);
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
