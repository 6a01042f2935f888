import type { Disk, DiskFile } from '@flotilla/platform';
import { DiskGate, never } from './disk-gate.ts';
import type { DiskImage } from './disk-image.ts';
import { baseOf, normalize, parentOf } from './disk-path.ts';
import type { Life } from './life.ts';
import { SimInode } from './sim-inode.ts';

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
    this.#gate.write(this.#inode, this.path, position, bytes);
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
