import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { FileSystem } from './fs.ts';
import type { FileStats } from './file-stats.ts';

/** What `fs.promises.open` answers. */
export class FileHandle extends EventEmitter {
  fd: number;
  readonly #fs: FileSystem;

  constructor(fs: FileSystem, fd: number) {
    super();
    this.#fs = fs;
    this.fd = fd;
  }

  async read(...values: unknown[]): Promise<{ bytesRead: number; buffer: ArrayBufferView }> {
    return await this.#fs.readInto(this.fd, values);
  }

  async write(
    data: string | ArrayBufferView,
    ...rest: unknown[]
  ): Promise<{ bytesWritten: number; buffer: unknown }> {
    return { bytesWritten: await this.#fs.writeFrom(this.fd, data, rest), buffer: data };
  }

  async writev(
    buffers: readonly ArrayBufferView[],
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: unknown }> {
    // prettier-ignore
    const all = Buffer.concat(buffers.map((each) => bytesOf(each)));
    return { bytesWritten: await this.#fs.writeFrom(this.fd, all, [0, all.length, position]), buffers };
  }

  async readFile(options?: unknown): Promise<unknown> {
    return await this.#fs.readFile(this.fd, options);
  }

  async writeFile(data: unknown, options?: unknown): Promise<void> {
    await this.#fs.writeFile(this.fd, data, options, 'w');
  }

  async appendFile(data: unknown, options?: unknown): Promise<void> {
    await this.#fs.writeFile(this.fd, data, options, 'a');
  }

  async sync(): Promise<void> {
    await this.#fs.files.sync(this.fd);
  }

  async datasync(): Promise<void> {
    await this.#fs.files.sync(this.fd);
  }

  async truncate(size = 0): Promise<void> {
    await this.#fs.files.later(() => this.#fs.files.truncate(this.fd, size));
  }

  async stat(): Promise<FileStats> {
    return await this.#fs.files.later(() => this.#fs.files.fileStat(this.fd));
  }

  createReadStream(options: object = {}): unknown {
    return this.#fs.createReadStream('', { ...options, fd: this.fd });
  }

  createWriteStream(options: object = {}): unknown {
    return this.#fs.createWriteStream('', { ...options, fd: this.fd });
  }

  readLines(options: object = {}): AsyncIterable<string> {
    return createInterface({
      input: this.createReadStream(options) as NodeJS.ReadableStream,
      crlfDelay: Infinity,
    });
  }

  async close(): Promise<void> {
    const { fd } = this;
    if (fd < 0) return;
    this.fd = -1;
    await this.#fs.files.later(() => this.#fs.files.close(fd));
    this.emit('close');
  }

  async [Symbol.asyncDispose ?? Symbol.for('nodejs.asyncDispose')](): Promise<void> {
    await this.close();
  }
}

/** The bytes behind any view of them. */
export function bytesOf(view: ArrayBufferView): Buffer {
  return Buffer.from(view.buffer, view.byteOffset, view.byteLength);
}
