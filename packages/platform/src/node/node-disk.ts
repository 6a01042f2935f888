import { close, fdatasync, fstatSync, ftruncate, openSync, read, writeSync } from 'node:fs';
import { access, mkdir, open, readdir, rename, statfs, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Disk, DiskFile } from '../disk.ts';
import { diskError } from './disk-error.ts';
import { lockFile } from './lock-file.ts';

/** Files of this machine. */
export class NodeDisk implements Disk {
  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    const flags = { read: 'r', write: 'r+', create: 'wx+' }[mode];
    return failingWith(`open ${path}`, () => Promise.resolve(new NodeFile(path, openSync(path, flags))));
  }

  list(directory: string): Promise<readonly string[]> {
    return failingWith(`list ${directory}`, async () => (await readdir(directory)).sort(byCodeUnit));
  }

  async exists(path: string): Promise<boolean> {
    return access(path).then(
      () => true,
      (cause: unknown) => {
        const error = diskError(`look for ${path}`, cause);
        if (error.code === 'FLOTILLA_DISK_NOT_FOUND') return false;
        throw error;
      },
    );
  }

  makeDirectory(path: string): Promise<void> {
    return failingWith(`make directory ${path}`, async () => {
      const first = await mkdir(path, { recursive: true });
      if (first === undefined) return;
      // Every parent of a directory that is new now must know it after a crash.
      for (let made = path; ; made = dirname(made)) {
        await this.syncDirectory(dirname(made));
        if (made === first || made === dirname(made)) return;
      }
    });
  }

  rename(from: string, to: string): Promise<void> {
    return failingWith(`rename ${from} to ${to}`, () => rename(from, to));
  }

  unlink(path: string): Promise<void> {
    return failingWith(`unlink ${path}`, () => unlink(path));
  }

  syncDirectory(path: string): Promise<void> {
    return failingWith(`sync directory ${path}`, async () => {
      const directory = await open(path, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    });
  }

  freeBytes(directory: string): Promise<number> {
    return failingWith(`look at the disk of ${directory}`, async () => {
      const { bavail, bsize } = await statfs(directory);
      return bavail * bsize;
    });
  }

  lock(path: string): Promise<() => Promise<void>> {
    return lockFile(path);
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #descriptor: number;

  constructor(path: string, descriptor: number) {
    this.path = path;
    this.#descriptor = descriptor;
  }

  size(): number {
    try {
      return fstatSync(this.#descriptor).size;
    } catch (cause) {
      throw diskError(`look at ${this.path}`, cause);
    }
  }

  async read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = await this.#readSome(bytes, done, position + done);
      if (count === 0) return bytes.subarray(0, done);
      done += count;
    }
    return bytes;
  }

  write(position: number, bytes: Uint8Array): void {
    try {
      let done = 0;
      // A short write is what the kernel gives when the disk fills up in the middle; the next one tells why.
      while (done < bytes.length) {
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, position + done);
      }
    } catch (cause) {
      throw diskError(`write ${this.path} at offset ${position}`, cause);
    }
  }

  truncate(size: number): Promise<void> {
    return this.#call('truncate', (done) => ftruncate(this.#descriptor, size, done));
  }

  sync(): Promise<void> {
    return this.#call('sync', (done) => fdatasync(this.#descriptor, done));
  }

  close(): Promise<void> {
    return this.#call('close', (done) => close(this.#descriptor, done));
  }

  #readSome(target: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      read(this.#descriptor, target, offset, target.length - offset, position, (cause, count) => {
        if (cause === null) resolve(count);
        else reject(diskError(`read ${this.path} at offset ${position}`, cause));
      });
    });
  }

  #call(what: string, start: (done: (cause: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      start((cause) => {
        if (cause === null || cause === undefined) resolve();
        else reject(diskError(`${what} ${this.path}`, cause));
      });
    });
  }
}

async function failingWith<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw diskError(what, cause);
  }
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
