import * as fs from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeError } from '../program-error.ts';
import type { ProgramRuntime } from '../runtime.ts';
import { systemError } from '../system-error.ts';
import { trackedModule } from '../tracked.ts';
import { FileEntry, FileStats } from './file-stats.ts';
import { FileHandle, bytesOf } from './file-handle.ts';
import { Files } from './files.ts';

const { ReadStream, WriteStream } = { ...fs };

type Done = (error: unknown, ...values: unknown[]) => void;
type Named = Readonly<Record<string, (...values: never[]) => unknown>>;

/** Where a program's relative paths begin, on every node. */
export const workingDirectory = '/srv';

/** `node:fs` on the disk of a node: the same calls as functions that wait, with callbacks, and as promises. */
export class FileSystem {
  readonly files: Files;
  readonly module: Record<string, unknown>;
  readonly promises: Record<string, unknown>;
  readonly #runtime: ProgramRuntime;

  constructor(runtime: ProgramRuntime) {
    this.#runtime = runtime;
    this.files = new Files(runtime);
    const promised = this.#promised();
    this.promises = trackedModule(runtime, 'node:fs/promises', fs.promises, {
      own: promised,
      pure: ['constants'],
    });
    const own: Record<string, unknown> = {
      ...this.#synchronous(),
      ...this.#callbacks(promised),
      ...this.#streams(),
    };
    own['promises'] = this.promises;
    own['Stats'] = FileStats;
    own['Dirent'] = FileEntry;
    this.module = trackedModule(runtime, 'node:fs', fs, {
      own,
      pure: ['constants', 'F_OK', 'R_OK', 'W_OK', 'X_OK'],
    });
  }

  path(path: unknown): string {
    if (typeof path === 'string') return resolve(workingDirectory, path);
    if (path instanceof URL) return fileURLToPath(path);
    if (path instanceof Uint8Array) return resolve(workingDirectory, Buffer.from(path).toString());
    const message = 'The "path" argument must be of type string or an instance of Buffer or URL.';
    throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
  }

  /** `read(buffer, offset, length, position)` or with options in their place. */
  async readInto(
    fd: number,
    values: readonly unknown[],
  ): Promise<{ bytesRead: number; buffer: ArrayBufferView }> {
    const { buffer, offset, length, position } = readArguments(values);
    return await this.files.later(() => ({
      bytesRead: this.#readNow(fd, buffer, offset, length, position),
      buffer,
    }));
  }

  async writeFrom(fd: number, data: unknown, rest: readonly unknown[]): Promise<number> {
    const { bytes, position } = writeArguments(data, rest);
    return await this.files.later(() => this.files.write(fd, bytes, position));
  }

  async readFile(from: unknown, options: unknown): Promise<unknown> {
    const { encoding, flag } = optionsOf(options);
    if (typeof from === 'number') return await this.files.later(() => decoded(this.#rest(from), encoding));
    const fd = await this.files.later(() => this.files.open(this.path(from), flag ?? 'r'));
    try {
      return await this.files.later(() => decoded(this.#rest(fd), encoding));
    } finally {
      await this.files.later(() => this.files.close(fd));
    }
  }

  /** Opening, writing and closing are an operation each, as they are in Node: a crash may come between them. */
  async writeFile(to: unknown, data: unknown, options: unknown, flag: string): Promise<void> {
    const given = optionsOf(options);
    const bytes = encoded(await collected(data), given.encoding);
    if (typeof to === 'number') {
      await this.files.later(() => this.files.write(to, bytes, null));
      return;
    }
    const fd = await this.files.later(() => this.files.open(this.path(to), given.flag ?? flag));
    try {
      if (bytes.length > 0) await this.files.later(() => this.files.write(fd, bytes, null));
      if (given.flush) await this.files.sync(fd);
    } finally {
      await this.files.later(() => this.files.close(fd));
    }
  }

  createReadStream(path: unknown, options: unknown): unknown {
    return Reflect.construct(ReadStream, [this.#streamPath(path), this.#streamOptions(options)]);
  }

  createWriteStream(path: unknown, options: unknown): unknown {
    return Reflect.construct(WriteStream, [this.#streamPath(path), this.#streamOptions(options)]);
  }

  #streamPath(path: unknown): string {
    return path === '' ? '' : this.path(path);
  }

  /** Node's own streams, with these functions in the place of the ones for real files. */
  #streamOptions(options: unknown): object {
    const given = typeof options === 'string' ? { encoding: options } : (options ?? {});
    const { fd } = given as { readonly fd?: unknown };
    return { ...given, ...(fd instanceof FileHandle ? { fd: fd.fd } : {}), fs: this.module };
  }

  #streams(): Named {
    const create = {
      read: (path: unknown, options?: unknown) => this.createReadStream(path, options),
      write: (path: unknown, options?: unknown) => this.createWriteStream(path, options),
    };
    return {
      createReadStream: create.read,
      createWriteStream: create.write,
      ReadStream: function (path: unknown, options?: unknown) {
        return create.read(path, options);
      },
      WriteStream: function (path: unknown, options?: unknown) {
        return create.write(path, options);
      },
    };
  }

  /** The calls that are one step each, by which all three forms are made. */
  #steps(): Named {
    const { files } = this;
    const at = (path: unknown): string => this.path(path);
    return {
      access: (path: unknown) => void files.stat(at(path), 'access'),
      close: (fd: number) => files.close(fd),
      fstat: (fd: number) => files.fileStat(fd),
      ftruncate: (fd: number, size = 0) => files.truncate(fd, size),
      lstat: (path: unknown) => files.stat(at(path), 'lstat'),
      mkdir: (path: unknown, options?: unknown) => files.makeDirectory(at(path), isRecursive(options)),
      mkdtemp: (prefix: string) => files.temporaryDirectory(at(prefix)),
      open: (path: unknown, flags: unknown = 'r') => files.open(at(path), flags as string),
      readdir: (path: unknown, options?: unknown) => this.#entries(at(path), options),
      realpath: (path: unknown) => (files.stat(at(path), 'realpath'), at(path)),
      rename: (from: unknown, to: unknown) => files.rename(at(from), at(to)),
      rm: (path: unknown, options?: object) => this.#remove(at(path), { ...options }),
      rmdir: (path: unknown) => files.removeDirectory(at(path)),
      stat: (path: unknown) => files.stat(at(path), 'stat'),
      unlink: (path: unknown) => files.unlink(at(path)),
    };
  }

  #synchronous(): Named {
    const { files } = this;
    const steps = Object.entries(this.#steps()).map(([name, step]) => [`${name}Sync`, step] as const);
    const { statSync } = Object.fromEntries(steps);
    const writeFileSync = (to: unknown, data: unknown, options?: unknown, flag = 'w'): void => {
      const given = optionsOf(options);
      const fd = typeof to === 'number' ? to : files.open(this.path(to), given.flag ?? flag);
      try {
        const bytes = encoded(data, given.encoding);
        if (bytes.length > 0) files.write(fd, bytes, null);
        if (given.flush) files.syncNow(fd);
      } finally {
        if (typeof to !== 'number' && !this.#runtime.life.dead) files.close(fd);
      }
    };
    return {
      ...Object.fromEntries(steps),
      statSync: (path: never, options?: { readonly throwIfNoEntry?: boolean }) =>
        options?.throwIfNoEntry === false && !files.exists(this.path(path)) ? undefined : statSync?.(path),
      existsSync: (path: unknown) => {
        try {
          return files.exists(this.path(path));
        } catch {
          return false;
        }
      },
      readSync: (fd: number, ...values: unknown[]) => {
        const { buffer, offset, length, position } = readArguments(values);
        return this.#readNow(fd, buffer, offset, length, position);
      },
      writeSync: (fd: number, data: unknown, ...rest: unknown[]) => {
        const { bytes, position } = writeArguments(data, rest);
        return files.write(fd, bytes, position);
      },
      writevSync: (fd: number, buffers: readonly ArrayBufferView[], position: number | null = null) =>
        files.write(fd, Buffer.concat(buffers.map((each) => bytesOf(each))), position),
      fsyncSync: (fd: number) => files.syncNow(fd),
      fdatasyncSync: (fd: number) => files.syncNow(fd),
      truncateSync: (path: unknown, size = 0) => this.#truncate(this.path(path), size),
      readFileSync: (from: unknown, options?: unknown) => {
        const { encoding, flag } = optionsOf(options);
        if (typeof from === 'number') return decoded(this.#rest(from), encoding);
        const fd = files.open(this.path(from), flag ?? 'r');
        try {
          return decoded(this.#rest(fd), encoding);
        } finally {
          files.close(fd);
        }
      },
      writeFileSync,
      appendFileSync: (to: unknown, data: unknown, options?: unknown) =>
        writeFileSync(to, data, options, 'a'),
      copyFileSync: (from: unknown, to: unknown) => writeFileSync(to, this.#content(this.path(from))),
    };
  }

  #promised(): Named {
    const { files } = this;
    const entries = Object.entries(this.#steps()).map(([name, step]) => {
      const promised = async (...values: never[]): Promise<unknown> =>
        await files.later(() => step(...values));
      return [name, promised] as const;
    });
    const { close: _close, fstat: _fstat, ftruncate: _ftruncate, ...byPath } = Object.fromEntries(entries);
    return {
      ...byPath,
      open: async (path: unknown, flags: string | number = 'r') =>
        new FileHandle(this, await files.later(() => files.open(this.path(path), flags))),
      readFile: async (from: unknown, options?: unknown) =>
        await this.readFile(from instanceof FileHandle ? from.fd : from, options),
      writeFile: async (to: unknown, data: unknown, options?: unknown) =>
        await this.writeFile(to instanceof FileHandle ? to.fd : to, data, options, 'w'),
      appendFile: async (to: unknown, data: unknown, options?: unknown) =>
        await this.writeFile(to instanceof FileHandle ? to.fd : to, data, options, 'a'),
      truncate: async (path: unknown, size = 0) =>
        await files.later(() => this.#truncate(this.path(path), size)),
      copyFile: async (from: unknown, to: unknown) =>
        await this.writeFile(to, await files.later(() => this.#content(this.path(from))), undefined, 'w'),
    };
  }

  #callbacks(whole: Named): Named {
    const { files } = this;
    const result: Record<string, unknown> = {};
    for (const [name, step] of Object.entries(this.#steps())) {
      result[name] = (...values: unknown[]) => {
        const done = callbackOf(values);
        files.callLater(() => step(...(values as never[])), (error, value) => (error === null ? done(null, value) : done(error))); // prettier-ignore
      };
    }
    for (const name of ['readFile', 'writeFile', 'appendFile', 'truncate', 'copyFile']) {
      result[name] = (...values: unknown[]) => {
        const done = callbackOf(values);
        this.#settle((whole[name] as (...given: unknown[]) => Promise<unknown>)(...values), done);
      };
    }
    result['exists'] = (path: unknown, done: (found: boolean) => void) =>
      files.callLater(() => files.exists(this.path(path)), (_error, found) => done(found === true)); // prettier-ignore
    result['read'] = (fd: number, ...values: unknown[]) => {
      const done = callbackOf(values);
      const { buffer, offset, length, position } = readArguments(values);
      files.callLater(() => this.#readNow(fd, buffer, offset, length, position), (error, count) => done(error, count ?? 0, buffer)); // prettier-ignore
    };
    result['write'] = (fd: number, data: unknown, ...rest: unknown[]) => {
      const done = callbackOf(rest);
      const { bytes, position } = writeArguments(data, rest);
      files.callLater(
        () => files.write(fd, bytes, position),
        (error, count) => done(error, count ?? 0, data),
      );
    };
    result['writev'] = (fd: number, buffers: readonly ArrayBufferView[], ...rest: unknown[]) => {
      const done = callbackOf(rest);
      const all = Buffer.concat(buffers.map((each) => bytesOf(each)));
      const position = typeof rest[0] === 'number' ? rest[0] : null;
      files.callLater(
        () => files.write(fd, all, position),
        (error, count) => done(error, count ?? 0, buffers),
      );
    };
    const sync = (fd: number, done: Done): void => this.#settle(files.sync(fd), done);
    // As promises they answer more than their callbacks' second value.
    const promised = {
      exists: async (path: unknown) => await files.later(() => files.exists(this.path(path))),
      read: async (fd: number, ...values: unknown[]) => await this.readInto(fd, values),
      write: async (fd: number, data: unknown, ...rest: unknown[]) => ({ bytesWritten: await this.writeFrom(fd, data, rest), buffer: data }), // prettier-ignore
    };
    for (const [name, value] of Object.entries(promised)) Object.defineProperty(result[name], promisify.custom, { value }); // prettier-ignore
    return { ...result, fsync: sync, fdatasync: sync };
  }

  /** What a callback throws is an error of the program, and no rejection. */
  #settle(promise: Promise<unknown>, done: Done): void {
    promise.then(
      (value) => this.#runtime.tick(() => (value === undefined ? done(null) : done(null, value))),
      (cause: unknown) => this.#runtime.tick(() => done(cause)),
    );
  }

  #readNow(
    fd: number,
    buffer: ArrayBufferView,
    offset: number,
    length: number,
    position: number | null,
  ): number {
    const bytes = this.files.read(fd, length, position);
    bytesOf(buffer).set(bytes, offset);
    return bytes.length;
  }

  #rest(fd: number): Buffer {
    return bytesOf(this.files.read(fd, Number.MAX_SAFE_INTEGER, null));
  }

  #content(path: string): Buffer {
    const fd = this.files.open(path, 'r');
    try {
      return this.#rest(fd);
    } finally {
      this.files.close(fd);
    }
  }

  #truncate(path: string, size: number): void {
    const fd = this.files.open(path, 'r+');
    this.files.truncate(fd, size);
    this.files.close(fd);
  }

  #entries(path: string, options: unknown): unknown {
    const names = this.files.list(path);
    if (isRecursive(options)) return this.#runtime.uncontrolled('node:fs readdir recursive', () => []);
    if (Reflect.get(Object(options), 'withFileTypes') !== true) return [...names];
    const base = path === '/' ? '' : path;
    return names.map((name) => new FileEntry(name, path, !this.files.isDirectory(`${base}/${name}`)));
  }

  #remove(path: string, options: { readonly recursive?: boolean; readonly force?: boolean }): void {
    const { files } = this;
    if (!files.exists(path)) {
      if (options.force !== true) throw systemError('ENOENT', { syscall: 'lstat', path });
      return;
    }
    if (!files.isDirectory(path)) return files.unlink(path);
    if (options.recursive !== true) throw nodeError('ERR_FS_EISDIR', `Path is a directory: rm returned EISDIR (is a directory) ${path}`, { errno: 21, syscall: 'rm', path }); // prettier-ignore
    for (const name of files.list(path)) this.#remove(`${path}/${name}`, options);
    files.removeDirectory(path);
  }
}

function optionsOf(options: unknown): {
  readonly encoding: string | null;
  readonly flag: string | null;
  readonly flush: boolean;
} {
  // prettier-ignore
  if (typeof options === 'string') return { encoding: options, flag: null, flush: false };
  const { encoding = null, flag = null, flush = false } = Object(options) as { readonly encoding?: string; readonly flag?: string; readonly flush?: boolean }; // prettier-ignore
  return { encoding, flag, flush };
}

function isRecursive(options: unknown): boolean {
  return Reflect.get(Object(options), 'recursive') === true;
}

function callbackOf(values: unknown[]): Done {
  const done = values.pop();
  if (typeof done === 'function') return done as Done;
  const message = 'The "cb" argument must be of type function.';
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

interface ReadArguments {
  readonly buffer: ArrayBufferView;
  readonly offset: number;
  readonly length: number;
  readonly position: number | null;
}

function readArguments(values: readonly unknown[]): ReadArguments {
  const [first, second, ...rest] = values;
  const options = ArrayBuffer.isView(first) ? { buffer: first } : ((first ?? {}) as Partial<ReadArguments>);
  const buffer = options.buffer ?? Buffer.alloc(16_384);
  const given: Partial<ReadArguments> =
    typeof second === 'object' && second !== null
      ? second
      : typeof second === 'number'
        ? { offset: second, length: rest[0] as number, position: rest[1] as number }
        : options;
  const offset = given.offset ?? 0;
  const position = given.position ?? null;
  return {
    buffer,
    offset,
    length: given.length ?? buffer.byteLength - offset,
    position: position === null || Number(position) < 0 ? null : Number(position),
  };
}

/** `write(data, offset, length, position)` for bytes, `write(data, position, encoding)` for a text. */
function writeArguments(
  data: unknown,
  rest: readonly unknown[],
): { readonly bytes: Uint8Array; readonly position: number | null } {
  // prettier-ignore
  if (typeof data === 'string') {
    const [position, encoding] = rest;
    return { bytes: encoded(data, typeof encoding === 'string' ? encoding : null), position: positionOf(position) };
  }
  const bytes = encoded(data, null);
  const [first] = rest;
  if (typeof first === 'object' && first !== null) {
    const { offset = 0, length = bytes.length - offset, position } = first as { offset?: number; length?: number; position?: number }; // prettier-ignore
    return { bytes: bytes.subarray(offset, offset + length), position: positionOf(position) };
  }
  const offset = Number(first ?? 0);
  const length = rest[1] === undefined || rest[1] === null ? bytes.length - offset : Number(rest[1]);
  return { bytes: bytes.subarray(offset, offset + length), position: positionOf(rest[2]) };
}

function positionOf(position: unknown): number | null {
  return typeof position === 'number' ? position : typeof position === 'bigint' ? Number(position) : null;
}

function encoded(data: unknown, encoding: string | null): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, (encoding ?? 'utf8') as BufferEncoding);
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  const message =
    'The "data" argument must be of type string or an instance of Buffer, TypedArray, or DataView.';
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_TYPE' });
}

function decoded(bytes: Buffer, encoding: string | null): string | Buffer {
  return encoding === null || encoding === 'buffer' ? bytes : bytes.toString(encoding as BufferEncoding);
}

/** Data may come piece by piece. */
async function collected(data: unknown): Promise<unknown> {
  if (typeof data === 'string' || ArrayBuffer.isView(data)) return data;
  const isIterable =
    typeof data === 'object' && data !== null && (Symbol.asyncIterator in data || Symbol.iterator in data);
  if (!isIterable) return data;
  const parts: Uint8Array[] = [];
  for await (const part of data as AsyncIterable<unknown>) parts.push(encoded(part, null));
  return Buffer.concat(parts);
}
