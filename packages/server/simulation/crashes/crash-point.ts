import type { Disk, DiskFile, Platform } from '@flotilla/platform';
import type { SimNode } from '@flotilla/sim';
import type { Commit, OrderedStorage, WriteBatch } from '@flotilla/store';

/** What a member writes into, in its own words. */
type Place = 'the cluster file' | 'the log' | 'the log’s directory' | 'the data directory' | 'another file';
type DiskChange = 'create' | 'write' | 'truncate' | 'sync' | 'rename' | 'unlink' | 'make';
type StorageChange = 'a commit' | 'a commit that empties the state';
type StorageBoundary = 'is handed over' | 'can be read' | 'is durable';

/** A point at which state is on its way to the disk. */
export type Step =
  `before ${DiskChange} ${Place}` | `after ${DiskChange} ${Place}` | `${StorageChange} ${StorageBoundary}`;

/**
 * Counts the steps of one node from where it is armed, and crashes the node at one of them. A clean run counts them all:
 * whoever adds a step to an operation has it tried without saying so.
 */
export class CrashPoint {
  /** Those that were reached since it was armed, up to the crash. */
  readonly steps: Step[] = [];
  /** The step that it crashed at. */
  crashedAt: Step | null = null;
  readonly #at: number;
  readonly #lateMs: number;
  readonly #downMs: number;
  #node: SimNode | null = null;

  /**
   * `at`: counted from 1; 0: never. `lateMs`: so long after it, while what comes next is under way. What was answered by
   * then must be there. `downMs`: how long the node stays away.
   */
  constructor(at: number, lateMs = 0, downMs = 20) {
    this.#at = at;
    this.#lateMs = lateMs;
    this.#downMs = downMs;
  }

  arm(node: SimNode): void {
    this.#node = node;
  }

  disarm(): void {
    this.#node = null;
  }

  /** Between a member and the world. */
  platform(platform: Platform): Platform {
    return instead(platform, { disk: steppedDisk(platform.disk, (step) => this.#reach(platform, step)) });
  }

  /** Between a database and its storage. */
  storage(storage: OrderedStorage, platform: Platform): OrderedStorage {
    const commit = storage.commit.bind(storage);
    storage.commit = (batch: WriteBatch): Commit => {
      const what: StorageChange = batch.clear ? 'a commit that empties the state' : 'a commit';
      const { committed, flushed } = commit(batch);
      if (this.#reach(platform, `${what} is handed over`)) return { committed: never(), flushed: never() };
      const boundary = (promise: Promise<void>, step: Step): Promise<void> =>
        promise.then(() => (this.#reach(platform, step) ? never() : undefined));
      return {
        committed: boundary(committed, `${what} can be read`),
        flushed: boundary(flushed, `${what} is durable`),
      };
    };
    return storage;
  }

  /** Whether the node is dead from here on. */
  #reach({ nodeName }: Platform, step: Step): boolean {
    const node = this.#node;
    if (node?.name !== nodeName || !node.running || this.crashedAt !== null) return false;
    this.steps.push(step);
    if (this.steps.length !== this.#at) return false;
    this.crashedAt = step;
    if (this.#lateMs === 0) {
      this.#crash(node);
      return true;
    }
    node.world.after(this.#lateMs, () => this.#crash(node));
    return false;
  }

  #crash(node: SimNode): void {
    const lost = node.crash();
    node.world.fault('crash at a step', `crash ${node.name} at ${this.crashedAt}: ${lost}`);
    node.world.after(this.#downMs, () => node.start());
  }
}

type Reach = (step: Step) => boolean;

function steppedDisk(disk: Disk, reach: Reach): Disk {
  return instead(disk, {
    open: async (path: string, mode: 'read' | 'write' | 'create') => {
      const open = (): Promise<DiskFile> => disk.open(path, mode);
      const file = await (mode === 'create' ? around(reach, 'create', placeOf(path), open) : open());
      return mode === 'read' ? file : new SteppedFile(file, reach);
    },
    makeDirectory: (path) => around(reach, 'make', 'the data directory', () => disk.makeDirectory(path)),
    rename: (from, to) => around(reach, 'rename', placeOf(to), () => disk.rename(from, to)),
    unlink: (path) => around(reach, 'unlink', placeOf(path), () => disk.unlink(path)),
    syncDirectory: (path) => {
      const place = path.endsWith('/log') ? 'the log’s directory' : 'the data directory';
      return around(reach, 'sync', place, () => disk.syncDirectory(path));
    },
  });
}

/** All of `original`, but for some of it. */
function instead<T extends object>(original: T, other: Partial<T>): T {
  return new Proxy(original, {
    get: (target, name): unknown => {
      if (Object.hasOwn(other, name)) return Reflect.get(other, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

class SteppedFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #reach: Reach;

  constructor(file: DiskFile, reach: Reach) {
    this.path = file.path;
    this.#file = file;
    this.#reach = reach;
  }

  size(): number {
    return this.#file.size();
  }

  read(position: number, length: number): Promise<Uint8Array> {
    return this.#file.read(position, length);
  }

  write(position: number, bytes: Uint8Array): void {
    const place = placeOf(this.path);
    if (this.#reach(`before write ${place}`)) return;
    this.#file.write(position, bytes);
    this.#reach(`after write ${place}`);
  }

  truncate(size: number): Promise<void> {
    return around(this.#reach, 'truncate', placeOf(this.path), () => this.#file.truncate(size));
  }

  sync(): Promise<void> {
    return around(this.#reach, 'sync', placeOf(this.path), () => this.#file.sync());
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function around<T>(
  reach: Reach,
  change: DiskChange,
  place: Place,
  perform: () => Promise<T>,
): Promise<T> {
  if (reach(`before ${change} ${place}`)) return never();
  const result = await perform();
  return reach(`after ${change} ${place}`) ? never() : result;
}

function placeOf(path: string): Place {
  if (path.includes('/cluster.json')) return 'the cluster file';
  return path.includes('/raft/log/') ? 'the log' : 'another file';
}

/** The rest of a dead process does not happen. */
function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
