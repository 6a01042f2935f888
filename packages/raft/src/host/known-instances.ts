import type { Platform } from '@flotilla/platform';
import { FlotillaError, isFlotillaError, messageOf } from '@flotilla/platform';
import type { NodeId } from '../core/types.ts';
import { ByteReader, ByteWriter } from './bytes.ts';

/** Says by which instance the owner of a host knows a peer; null: none is known yet. */
export type InstanceOf = (peer: NodeId) => bigint | null;

/**
 * By which data the peers are known, also before the log is replayed. What the owner of the host knows comes from applied
 * entries, so at a start it knows nothing of what it has yet to apply again; a peer that has lost its data in the
 * meantime would be let in, and could vote for a leader that lacks what was acknowledged. So what was said once is kept
 * in a file, read before anybody can connect.
 *
 * Of a peer that nobody has said anything of, the data that it comes with first is kept, before anything that it sends
 * counts: it may vote and acknowledge before the log can say who it is, and lose its disk in between.
 */
export class KnownInstances {
  readonly #platform: Platform;
  readonly #directory: string;
  readonly #instanceOf: InstanceOf;
  readonly #failed: (error: unknown) => void;
  readonly #instances: Map<NodeId, bigint>;
  /** What the file says. */
  #written: ReadonlyMap<NodeId, bigint>;
  #isStale = false;
  #writing = false;
  #done: Promise<void> = Promise.resolve();

  private constructor(
    options: KnownInstancesOptions & { instanceOf: InstanceOf },
    instances: Map<NodeId, bigint>,
  ) {
    this.#platform = options.platform;
    this.#directory = options.directory;
    this.#instanceOf = options.instanceOf;
    this.#failed = options.failed;
    this.#instances = instances;
    this.#written = new Map(instances);
  }

  /** Null when the owner tells no instances. Rejects with `FLOTILLA_DATA_DAMAGED`: without it, anybody would be let in. */
  static async open(options: KnownInstancesOptions): Promise<KnownInstances | null> {
    const { platform, directory, instanceOf } = options;
    if (instanceOf === undefined) return null;
    return new KnownInstances({ ...options, instanceOf }, await read(platform, pathIn(directory)));
  }

  /** What the owner says counts, and is remembered; where it says nothing yet, what it said in a former life. */
  of(peer: NodeId): bigint | null {
    const told = this.#instanceOf(peer);
    const remembered = this.#instances.get(peer) ?? null;
    if (told !== null && told !== remembered) {
      this.#instances.set(peer, told);
      this.#isStale = true;
    }
    if (this.#isStale && !this.#writing) this.#done = this.#write();
    return told ?? remembered;
  }

  /**
   * A peer has come that may be who it says, see {@link KnownInstances.of}. Null: what it sends may count. Otherwise its
   * data is being written down: ask again when that has been tried.
   */
  meet(peer: NodeId, instance: bigint): Promise<void> | null {
    // One that says nothing of its data can lose it unseen.
    if (instance === 0n) return null;
    if (this.#instanceOf(peer) === instance || this.#written.get(peer) === instance) return null;
    if (this.#instances.get(peer) !== instance) {
      this.#instances.set(peer, instance);
      this.#isStale = true;
    }
    if (this.#isStale && !this.#writing) this.#done = this.#write();
    return this.#done;
  }

  /** Resolves when nothing is written any more. */
  close(): Promise<void> {
    return this.#done;
  }

  async #write(): Promise<void> {
    this.#writing = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        const instances = new Map(this.#instances);
        await write(this.#platform, this.#directory, encode(this.#platform, instances));
        this.#written = instances;
      }
    } catch (error) {
      // A disk that is full may have room again when the peers are judged next.
      this.#isStale = isFlotillaError(error, 'FLOTILLA_DISK_FULL');
      if (!this.#isStale) this.#failed(error);
    }
    this.#writing = false;
  }
}

export interface KnownInstancesOptions {
  readonly platform: Platform;
  /** There already. */
  readonly directory: string;
  readonly instanceOf: InstanceOf | undefined;
  /** The file cannot be written. */
  readonly failed: (error: unknown) => void;
}

const version = 1;

function pathIn(directory: string): string {
  return `${directory}/instances`;
}

function encode(platform: Platform, instances: ReadonlyMap<NodeId, bigint>): Uint8Array {
  const body = new ByteWriter(256);
  body.u8(version);
  body.u32(instances.size);
  for (const [id, instance] of [...instances].sort(([a], [b]) => a - b)) {
    body.u32(id);
    body.u64(instance);
  }
  const bytes = body.take();
  const file = new ByteWriter(bytes.length + 4);
  file.u32(platform.checksum(bytes));
  file.raw(bytes);
  return file.take();
}

function decode(platform: Platform, bytes: Uint8Array): Map<NodeId, bigint> {
  const reader = new ByteReader(bytes);
  if (reader.u32() !== platform.checksum(bytes.subarray(4))) {
    throw new FlotillaError('FLOTILLA_DATA_DAMAGED', 'its checksum is wrong');
  }
  const found = reader.u8();
  if (found !== version) {
    throw new FlotillaError('FLOTILLA_DATA_TOO_NEW', `it has version ${found}, known is ${version}`);
  }
  const instances = new Map<NodeId, bigint>();
  for (let left = reader.count(12); left > 0; left -= 1) {
    const id = reader.u32() as NodeId;
    instances.set(id, reader.u64());
  }
  reader.end();
  return instances;
}

async function read(platform: Platform, path: string): Promise<Map<NodeId, bigint>> {
  if (!(await platform.disk.exists(path))) return new Map();
  const file = await platform.disk.open(path, 'read');
  let bytes;
  try {
    bytes = await file.read(0, file.size());
  } finally {
    await file.close();
  }
  try {
    return decode(platform, bytes);
  } catch (error) {
    const code = isFlotillaError(error, 'FLOTILLA_DATA_TOO_NEW') ? error.code : 'FLOTILLA_DATA_DAMAGED';
    throw new FlotillaError(code, `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** A second file is written and renamed over the first, so that a crash leaves one or the other. */
async function write({ disk }: Platform, directory: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${pathIn(directory)}.new`;
  if (await disk.exists(temporary)) await disk.unlink(temporary);
  const file = await disk.open(temporary, 'create');
  try {
    file.write(0, bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, pathIn(directory));
  await disk.syncDirectory(directory);
}
