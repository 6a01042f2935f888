import { constants } from 'node:fs';
import type { DiskImage } from '../../disk-image.ts';
import { DiskEvent, DiskGate } from '../../disk-gate.ts';
import { baseOf, parentOf } from '../../disk-path.ts';
import { limits } from '../../limits.ts';
import { SimInode } from '../../sim-inode.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { fileError, systemError } from '../system-error.ts';
import type { SystemCall } from '../system-error.ts';
import { FileStats } from './file-stats.ts';

/** An open file or directory: what stands behind a descriptor. */
interface OpenFile {
  readonly path: string;
  /** Null: it is a directory. */
  readonly inode: SimInode | null;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly appends: boolean;
  position: number;
}

/** How `open` was asked to open. */
interface OpenFlags {
  readonly readable: boolean;
  readonly writable: boolean;
  readonly appends: boolean;
  readonly creates: boolean;
  readonly truncates: boolean;
  readonly exclusive: boolean;
}

/**
 * The system calls for files of one life, each done at one instant: what the stand-ins for `node:fs` are made of. A sync
 * alone takes time. An operation may be where the process is killed; then it never returns.
 */
export class Files {
  readonly #runtime: ProgramRuntime;
  readonly #image: DiskImage;
  readonly #gate: DiskGate;
  readonly #open = new Map<number, OpenFile>();
  #nextDescriptor = 20;

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    this.#image = runtime.life.node.disk;
    this.#gate = new DiskGate(runtime.life);
  }

  /** Does `action` in an event of its own, a little later: as a thread does it, so that a later one may be first. */
  async later<T>(action: () => T): Promise<T> {
    return await new Promise((resolve, reject) => {
      this.callLater(action, (error, value) => (error === null ? resolve(value as T) : reject(error)));
    });
  }

  callLater<T>(action: () => T, done: (error: unknown, value?: T) => void): void {
    const { world, life, handles } = this.#runtime;
    if (life.dead) return;
    const handle = handles.open();
    const overtaken = world.tape.choose(8, 'file operation overtaken') / 8;
    const complete = (): void => {
      handle.close();
      let value: T;
      try {
        value = action();
      } catch (cause) {
        if (!life.dead) done(cause);
        return;
      }
      if (!life.dead) done(null, value);
    };
    world.schedule(world.settings.accessMs + overtaken * limits.fileThreadMs, new DiskEvent(life, complete));
  }

  open(path: string, flags: string | number): number {
    const call = { syscall: 'open', path };
    const wanted = parsedFlags(flags);
    if (this.#image.directories.has(path)) {
      if (wanted.writable) throw systemError('EISDIR', call);
      return this.#describe({ path, inode: null, ...wanted, position: 0 });
    }
    const found = this.#image.inodes.get(path);
    if (found !== undefined && wanted.exclusive) throw systemError('EEXIST', call);
    const inode = found ?? this.#create(path, wanted, call);
    if (found !== undefined && wanted.truncates && inode.bytes.size > 0) {
      this.#change(`truncate ${path}`, call, () => inode.truncate(0));
      FileStats.changed(inode, this.#runtime);
    }
    return this.#describe({ path, inode, ...wanted, position: 0 });
  }

  close(descriptor: number): void {
    this.#file(descriptor, 'close');
    this.#open.delete(descriptor);
  }

  /** Up to `length` bytes from `position`, or from where the last read ended. */
  read(descriptor: number, length: number, position: number | null): Uint8Array {
    const file = this.#file(descriptor, 'read');
    if (file.inode === null) throw systemError('EISDIR', { syscall: 'read' });
    if (!file.readable) throw systemError('EBADF', { syscall: 'read' });
    const bytes = file.inode.bytes.read(position ?? file.position, length);
    if (position === null) file.position += bytes.length;
    return bytes;
  }

  write(descriptor: number, bytes: Uint8Array, position: number | null): number {
    const file = this.#file(descriptor, 'write');
    const { inode } = file;
    if (!file.writable || inode === null) throw systemError('EBADF', { syscall: 'write' });
    const at = file.appends ? inode.bytes.size : (position ?? file.position);
    this.#act({ syscall: 'write' }, () => this.#gate.write(inode, file.path, at, bytes.slice()));
    FileStats.changed(inode, this.#runtime);
    if (position === null) file.position = at + bytes.length;
    return bytes.length;
  }

  truncate(descriptor: number, size: number): void {
    const file = this.#file(descriptor, 'ftruncate');
    const { inode } = file;
    if (!file.writable || inode === null) throw systemError('EINVAL', { syscall: 'ftruncate' });
    this.#change(`truncate ${file.path}`, { syscall: 'ftruncate' }, () => inode.truncate(size));
    FileStats.changed(inode, this.#runtime);
  }

  /** Waits for the disk, and everything of this process with it. */
  syncNow(descriptor: number): void {
    const file = this.#file(descriptor, 'fsync');
    this.#act({ syscall: 'fsync' }, () => this.#gate.syncNow(`sync ${file.path}`, this.#syncOf(file)));
  }

  async sync(descriptor: number): Promise<void> {
    const file = this.#file(descriptor, 'fsync');
    const handle = this.#runtime.handles.open();
    const sync = this.#syncOf(file);
    try {
      await this.#gate.sync(`sync ${file.path}`, sync.done, sync.started);
    } catch (cause) {
      throw fileError(cause, { syscall: 'fsync' });
    } finally {
      handle.close();
    }
  }

  stat(path: string, syscall: string): FileStats {
    if (this.#image.directories.has(path)) return FileStats.ofDirectory(path);
    const inode = this.#image.inodes.get(path);
    if (inode === undefined) throw systemError('ENOENT', { syscall, path });
    return FileStats.ofFile(inode);
  }

  fileStat(descriptor: number): FileStats {
    const { inode, path } = this.#file(descriptor, 'fstat');
    return inode === null ? FileStats.ofDirectory(path) : FileStats.ofFile(inode);
  }

  exists(path: string): boolean {
    return this.#image.inodes.has(path) || this.#image.directories.has(path);
  }

  isDirectory(path: string): boolean {
    return this.#image.directories.has(path);
  }

  /** Names in a directory, sorted. */
  list(path: string): readonly string[] {
    const call = { syscall: 'scandir', path };
    if (this.#image.inodes.has(path)) throw systemError('ENOTDIR', call);
    if (!this.#image.directories.has(path)) throw systemError('ENOENT', call);
    const all = [...this.#image.inodes.keys(), ...this.#image.directories];
    const names = all.filter((name) => name !== path && name.startsWith('/') && parentOf(name) === path);
    return names.map((name) => baseOf(name)).sort((a, b) => (a < b ? -1 : 1));
  }

  /** @returns the first directory that was made, or undefined. */
  makeDirectory(path: string, recursive: boolean): string | undefined {
    const call = { syscall: 'mkdir', path };
    if (this.exists(path)) {
      if (recursive && this.isDirectory(path)) return undefined;
      throw systemError('EEXIST', call);
    }
    let first: string | undefined;
    if (!this.isDirectory(parentOf(path))) {
      if (!recursive) throw systemError('ENOENT', call);
      first = this.makeDirectory(parentOf(path), true);
    }
    this.#change(`make directory ${path}`, call, () => this.#image.directories.add(path));
    return first ?? path;
  }

  temporaryDirectory(prefix: string): string {
    const random = this.#runtime.random.u32().toString(36).padStart(6, '0').slice(-6);
    const path = `${prefix}${random}`;
    this.makeDirectory(path, false);
    return path;
  }

  removeDirectory(path: string): void {
    const call = { syscall: 'rmdir', path };
    if (!this.isDirectory(path)) throw systemError(this.exists(path) ? 'ENOTDIR' : 'ENOENT', call);
    if (this.list(path).length > 0) throw systemError('ENOTEMPTY', call);
    this.#change(`remove directory ${path}`, call, () => this.#image.directories.delete(path));
  }

  rename(from: string, to: string): void {
    const call: SystemCall = { syscall: 'rename', path: from, dest: to };
    const inode = this.#image.inodes.get(from);
    if (inode === undefined) {
      if (!this.isDirectory(from)) throw systemError('ENOENT', call);
      this.#runtime.uncontrolled('node:fs rename of a directory', () => undefined);
      return;
    }
    if (!this.isDirectory(parentOf(to))) throw systemError('ENOENT', call);
    if (this.isDirectory(to)) throw systemError('EISDIR', call);
    if (from === to) return;
    this.#change(`rename ${from} to ${to}`, call, () =>
      this.#image.rename([[from, null], [to, inode]], parentOf(to)),
    ); // prettier-ignore
  }

  unlink(path: string): void {
    const call = { syscall: 'unlink', path };
    if (this.isDirectory(path)) throw systemError('EPERM', call);
    if (!this.exists(path)) throw systemError('ENOENT', call);
    this.#change(`unlink ${path}`, call, () => this.#image.rename([[path, null]], parentOf(path)));
  }

  /** What the machine has before the program is started there for the first time. Durable. */
  place(path: string, content: string | Uint8Array): void {
    for (let made = parentOf(path); !this.isDirectory(made); made = parentOf(made))
      this.#image.directories.add(made);
    const inode = new SimInode();
    inode.write(0, typeof content === 'string' ? Buffer.from(content) : content);
    inode.syncDone(inode.syncStarts());
    this.#image.inodes.set(path, inode);
  }

  #create(path: string, wanted: OpenFlags, call: SystemCall): SimInode {
    if (!wanted.creates) throw systemError('ENOENT', call);
    if (!this.isDirectory(parentOf(path))) {
      throw systemError(this.exists(parentOf(path)) ? 'ENOTDIR' : 'ENOENT', call);
    }
    const inode = new SimInode();
    this.#change(`create ${path}`, call, () => {
      if (this.#image.faults.full) this.#gate.refuse('FULL', `create ${path}`, true);
      this.#image.rename([[path, inode]], parentOf(path));
    });
    FileStats.changed(inode, this.#runtime);
    return inode;
  }

  #describe(file: OpenFile): number {
    this.#nextDescriptor += 1;
    this.#open.set(this.#nextDescriptor, file);
    return this.#nextDescriptor;
  }

  #file(descriptor: number, syscall: string): OpenFile {
    if (this.#runtime.life.dead) return this.#runtime.unwind();
    const file = this.#open.get(descriptor);
    if (file === undefined) throw systemError('EBADF', { syscall });
    return file;
  }

  /** What a sync covers, is taken when it starts. */
  #syncOf({ inode, path }: OpenFile): { readonly started: () => void; readonly done: (ok: boolean) => void } {
    let covered: object = {};
    let names = 0;
    return {
      started: () => {
        if (inode === null) names = this.#image.pendingNames(path);
        else covered = inode.syncStarts();
      },
      done: (ok) => {
        if (inode === null) {
          if (ok) this.#image.syncNames(path, names);
        } else if (ok) inode.syncDone(covered);
        else inode.syncFailed(covered);
      },
    };
  }

  #change(what: string, call: SystemCall, action: () => void): void {
    this.#act(call, () => this.#gate.performNow(what, action));
  }

  #act(call: SystemCall, action: () => void): void {
    const { life } = this.#runtime;
    if (life.dead) this.#runtime.unwind();
    try {
      action();
    } catch (cause) {
      throw fileError(cause, call);
    }
    if (life.dead) this.#runtime.unwind();
  }
}

const named: Readonly<Record<string, number>> = {
  r: constants.O_RDONLY,
  'r+': constants.O_RDWR,
  w: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  'w+': constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  a: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
  'a+': constants.O_RDWR | constants.O_CREAT | constants.O_APPEND,
};

function parsedFlags(flags: string | number): OpenFlags {
  const plain = typeof flags === 'string' ? flags.replace(/[xs]/g, '') : '';
  const bits = typeof flags === 'number' ? flags : named[plain];
  if (bits === undefined) {
    throw Object.assign(new TypeError(`The argument 'flags' is invalid. Received '${flags}'`), { code: 'ERR_INVALID_ARG_VALUE' }); // prettier-ignore
  }
  const access = bits & (constants.O_WRONLY | constants.O_RDWR);
  const exclusive = (typeof flags === 'string' && flags.includes('x')) || (bits & constants.O_EXCL) !== 0;
  return {
    readable: access !== constants.O_WRONLY,
    writable: access !== constants.O_RDONLY,
    appends: (bits & constants.O_APPEND) !== 0,
    creates: (bits & constants.O_CREAT) !== 0,
    truncates: (bits & constants.O_TRUNC) !== 0,
    exclusive,
  };
}
