import { crc32 } from 'node:zlib';
import { FlotillaError, seededRandom } from '@flotilla/platform';
import type {
  Address,
  Connection,
  ConnectionHandler,
  Disk,
  DiskFile,
  Listener,
  Network,
  Platform,
} from '@flotilla/platform';

/**
 * Platforms whose disk and network are memory, on the real clock and event loop: what is left of a benchmark's time is
 * the code under test.
 */
export class MemoryWorld {
  readonly #listeners = new Map<number, (connection: Connection) => void>();
  readonly #disks: MemoryDisk[] = [];

  /** What the files take in memory. */
  get diskBytes(): number {
    return this.#disks.reduce((sum, disk) => sum + disk.bytes, 0);
  }

  platform(nodeName: string): Platform {
    const quiet = (): void => undefined;
    const disk = new MemoryDisk();
    this.#disks.push(disk);
    return {
      nodeName,
      now: () => performance.now(),
      wallClock: () => Date.now(),
      timer: (delayMs, _label, callback) => {
        const handle = setTimeout(callback, delayMs);
        return { cancel: () => clearTimeout(handle) };
      },
      defer: (callback) => {
        setImmediate(callback);
      },
      random: seededRandom(nodeName.length),
      network: this.#network(),
      disk,
      spawn: (_label, task) => {
        void task();
      },
      checksum: (bytes, seed) => crc32(bytes, seed),
      log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
      trace: quiet,
      tracing: false,
    };
  }

  #network(): Network {
    return {
      listen: (address, _options, accept): Promise<Listener> => {
        this.#listeners.set(address.port, accept);
        return Promise.resolve({
          address,
          close: () => {
            this.#listeners.delete(address.port);
            return Promise.resolve();
          },
        });
      },
      connect: (address: Address): Promise<Connection> => {
        const accept = this.#listeners.get(address.port);
        if (accept === undefined) {
          return Promise.reject(new FlotillaError('FLOTILLA_CONNECT_REFUSED', 'nobody listens'));
        }
        const near = new MemoryConnection(address);
        const far = new MemoryConnection(address);
        near.other = far;
        far.other = near;
        accept(far);
        return Promise.resolve(near);
      },
    };
  }
}

class MemoryConnection implements Connection {
  readonly identity = null;
  readonly protocol = null;
  readonly bufferedBytes = 0;
  readonly remote: Address;
  other: MemoryConnection | null = null;
  #handler: ConnectionHandler | null = null;
  #arrived: Uint8Array[] = [];
  #closed = false;

  constructor(remote: Address) {
    this.remote = remote;
  }

  start(handler: ConnectionHandler): void {
    this.#handler = handler;
    if (this.#arrived.length > 0) setImmediate(this.#deliver);
  }

  write(bytes: Uint8Array): boolean {
    this.other?.arrive(bytes);
    return true;
  }

  pause(): void {}
  resume(): void {}

  close(): void {
    this.destroy();
  }

  destroy(): void {
    const { other } = this;
    if (this.#closed) return;
    this.#closed = true;
    setImmediate(() => {
      this.#handler?.closed(null);
      other?.destroy();
    });
  }

  arrive(bytes: Uint8Array): void {
    this.#arrived.push(bytes);
    if (this.#arrived.length === 1 && this.#handler !== null) setImmediate(this.#deliver);
  }

  readonly #deliver = (): void => {
    const chunks = this.#arrived;
    this.#arrived = [];
    for (const chunk of chunks) if (!this.#closed) this.#handler?.data(chunk);
  };
}

class MemoryDisk implements Disk {
  readonly #files = new Map<string, MemoryFile>();

  get bytes(): number {
    let bytes = 0;
    for (const file of this.#files.values()) bytes += file.capacity;
    return bytes;
  }

  open(path: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile> {
    let file = this.#files.get(path);
    if (file === undefined) {
      if (mode !== 'create') {
        return Promise.reject(new FlotillaError('FLOTILLA_DISK_NOT_FOUND', `${path} is not there`));
      }
      file = new MemoryFile(path);
      this.#files.set(path, file);
    }
    return Promise.resolve(file);
  }

  list(directory: string): Promise<readonly string[]> {
    const names = [...this.#files.keys()].filter((path) => path.startsWith(`${directory}/`));
    return Promise.resolve(names.map((path) => path.slice(directory.length + 1)).sort());
  }

  exists(path: string): Promise<boolean> {
    return Promise.resolve(this.#files.has(path));
  }

  makeDirectory(): Promise<void> {
    return Promise.resolve();
  }

  freeBytes(): Promise<number> {
    return Promise.resolve(Number.MAX_SAFE_INTEGER);
  }

  rename(from: string, to: string): Promise<void> {
    const file = this.#files.get(from);
    if (file !== undefined) this.#files.set(to, file);
    this.#files.delete(from);
    return Promise.resolve();
  }

  unlink(path: string): Promise<void> {
    this.#files.delete(path);
    return Promise.resolve();
  }

  syncDirectory(): Promise<void> {
    return Promise.resolve();
  }

  lock(): Promise<() => Promise<void>> {
    return Promise.resolve(() => Promise.resolve());
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  #bytes: Uint8Array = new Uint8Array(1024 * 1024);
  #size = 0;

  constructor(path: string) {
    this.path = path;
  }

  size(): number {
    return this.#size;
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return Promise.resolve(this.#bytes.slice(position, Math.min(this.#size, position + length)));
  }

  write(position: number, bytes: Uint8Array): void {
    const end = position + bytes.length;
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(bytes, position);
    this.#size = Math.max(this.#size, end);
  }

  truncate(size: number): Promise<void> {
    this.#size = size;
    return Promise.resolve();
  }

  /** Comes back in a later turn, as a disk would, or nothing would ever be batched. */
  sync(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
