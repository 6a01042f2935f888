import { isFlotillaError, messageOf } from '@flotilla/platform';
import type { Platform } from '@flotilla/platform';
import type { Configuration, Index, Term } from '../core/types.ts';
import { replicaLimits } from './limits.ts';
import { SnapshotReader, SnapshotWriter } from './snapshot-file.ts';
import type { SnapshotHeader } from './snapshot-file.ts';

export interface SnapshotFilesOptions {
  readonly platform: Platform;
  /** Holds snapshots and nothing else; created when it is not there. */
  readonly directory: string;
  readonly clusterId: bigint;
}

/**
 * The snapshots of one group at one member.
 *
 * ```text
 *  create ─▶ 1.tmp: header, chunks, end ─▶ sync ─▶ rename to 0000000000004711.snapshot ─▶ sync directory ─▶ remove the third
 * ```
 *
 * The latest two are kept. The log goes back to the older one ({@link SnapshotFiles.flushed}), so that the latest may be
 * found damaged and nothing is lost: the older one and the log make the same state.
 */
export class SnapshotFiles {
  readonly #options: SnapshotFilesOptions;
  /** Good ones, oldest first, as far as is known. */
  #kept: SnapshotHeader[];
  #flushed: Position;
  #temporaries = 0;

  private constructor(options: SnapshotFilesOptions, kept: SnapshotHeader[]) {
    this.#options = options;
    this.#kept = kept;
    this.#flushed = olderOf(kept);
  }

  /**
   * Looks through the directory: removes what was being written when the last life ended, and sets aside what is
   * damaged. Rejects with `FLOTILLA_SNAPSHOT_VERSION` when a newer version wrote a snapshot; nothing is changed then.
   */
  static async open(options: SnapshotFilesOptions): Promise<SnapshotFiles> {
    const { disk } = options.platform;
    await disk.makeDirectory(options.directory);
    const names = await disk.list(options.directory);
    const kept: SnapshotHeader[] = [];
    const damaged: string[] = [];
    for (const name of names.filter((each) => each.endsWith(suffix)).reverse()) {
      // Only one has to be read in full: those before it are there for the case that it is damaged.
      const header = await inspect(options, name, kept.length === 0);
      if (header === null) damaged.push(name);
      else kept.unshift(header);
    }
    for (const name of damaged) await setAside(options, name);
    for (const name of names.filter((each) => each.endsWith(temporarySuffix))) {
      await disk.unlink(`${options.directory}/${name}`);
    }
    return new SnapshotFiles(options, kept);
  }

  /** The one to start from, whose every byte was checked when the directory was opened; null: there is none. */
  get latest(): SnapshotHeader | null {
    return this.#kept.at(-1) ?? null;
  }

  /** The log is not needed before this: a whole snapshot is there even when the latest one is found damaged. */
  get flushed(): Position {
    return this.#flushed;
  }

  /**
   * Begins a snapshot. It counts when {@link commit} has resolved. `received`: it comes from a peer, and the log will
   * begin with it, so that whatever is older is of no use any more.
   */
  create(at: Position, configuration: Configuration, received: boolean): Promise<SnapshotWriter> {
    const { platform, directory, clusterId } = this.#options;
    this.#temporaries += 1;
    const path = `${directory}/${this.#temporaries}${temporarySuffix}`;
    const { index, term } = at;
    return SnapshotWriter.create(platform, path, { clusterId, index, term, configuration, received });
  }

  /** Resolves when the snapshot is durable and in its place. */
  async commit(writer: SnapshotWriter): Promise<void> {
    const { platform, directory } = this.#options;
    const { header } = writer;
    await writer.finish();
    await platform.disk.rename(writer.path, `${directory}/${nameOf(header.index)}`);
    await platform.disk.syncDirectory(directory);
    const others = this.#kept.filter((each) => each.index !== header.index);
    this.#kept = [...others, header].sort((a, b) => a.index - b.index);
    const safe = header.received ? header : olderOf(this.#kept);
    // What was promised once stays: a snapshot of this member's own may end after a received one.
    if (safe.index > this.#flushed.index) this.#flushed = { index: safe.index, term: safe.term };
    await this.#removeOld();
  }

  /** Reads a snapshot, checking it again. */
  open(header: SnapshotHeader): Promise<SnapshotReader> {
    return SnapshotReader.open(this.#options.platform, `${this.#options.directory}/${nameOf(header.index)}`);
  }

  async #removeOld(): Promise<void> {
    const { platform, directory } = this.#options;
    while (this.#kept.length > replicaLimits.snapshotsKept) {
      const oldest = this.#kept.shift() as SnapshotHeader;
      await platform.disk.unlink(`${directory}/${nameOf(oldest.index)}`);
    }
  }
}

/**
 * What the latest snapshot in `directory` says of itself, whether the rest of it is whole or not; null: there is none.
 * Changes nothing.
 */
export async function latestSnapshotHeader(options: SnapshotFilesOptions): Promise<SnapshotHeader | null> {
  const { disk } = options.platform;
  if (!(await disk.exists(options.directory))) return null;
  const names = await disk.list(options.directory);
  for (const name of names.filter((each) => each.endsWith(suffix)).reverse()) {
    const header = await inspect(options, name, false);
    if (header !== null) return header;
  }
  return null;
}

export interface Position {
  readonly index: Index;
  readonly term: Term;
}

const suffix = '.snapshot';
const temporarySuffix = '.tmp';
/** For people who want to know what happened to it. One is enough. */
const damagedName = 'damaged';

function nameOf(index: Index): string {
  return String(index).padStart(16, '0') + suffix;
}

function olderOf(kept: readonly SnapshotHeader[]): Position {
  const older = kept.at(-replicaLimits.snapshotsKept);
  return older === undefined
    ? { index: 0 as Index, term: 0 as Term }
    : { index: older.index, term: older.term };
}

/** Null: it is damaged, or another group's. */
async function inspect(
  { platform, directory, clusterId }: SnapshotFilesOptions,
  name: string,
  inFull: boolean,
): Promise<SnapshotHeader | null> {
  let reader: SnapshotReader | null = null;
  try {
    reader = await SnapshotReader.open(platform, `${directory}/${name}`);
    const { header } = reader;
    if (header.clusterId !== clusterId || nameOf(header.index) !== name) return null;
    if (inFull) await reader.verify();
    return header;
  } catch (error) {
    if (!isFlotillaError(error, 'FLOTILLA_SNAPSHOT_DAMAGED')) throw error;
    platform.log.error('a snapshot is damaged', { reason: messageOf(error) });
    return null;
  } finally {
    await reader?.close();
  }
}

async function setAside({ platform, directory }: SnapshotFilesOptions, name: string): Promise<void> {
  platform.log.error('setting a snapshot aside', {
    file: `${directory}/${name}`,
    as: `${directory}/${damagedName}`,
  });
  await platform.disk.rename(`${directory}/${name}`, `${directory}/${damagedName}`);
  await platform.disk.syncDirectory(directory);
}
