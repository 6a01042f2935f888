import type { Platform } from '@flotilla/platform';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
import { limits } from './limits.ts';
import { BucketBuilder } from './mvcc/bucket-builder.ts';
import type { SnapshotMeta } from '@flotilla/raft';
import { encodeInstalled } from './installed-snapshot.ts';
import {
  checkFormat,
  encodeState,
  installedKey,
  installingKey,
  readMembers,
  stateKey,
  storedFormats,
  writeMembers,
} from './mvcc/meta.ts';
import type { LogPosition, MemberRecords, StoredState } from './mvcc/meta.ts';
import { Table } from './mvcc/tables.ts';
import { liveBytesOf, type SnapshotEntries, SnapshotIntake } from './snapshot-frames.ts';
import { readDatabaseHeader } from './snapshot-stream.ts';
import type { OrderedStorage, TableWrites, WriteBatch } from './storage.ts';

/**
 * Replaces everything in a storage by a snapshot, commit by commit. The first commit clears the storage and leaves
 * a mark, the last takes the mark away and says what the state is: whoever finds the mark has no state.
 */
export class SnapshotInstall {
  readonly #storage: OrderedStorage;
  readonly #meta: SnapshotMeta;
  readonly #intake: SnapshotIntake<StoredState>;
  readonly #buckets = new BucketBuilder();
  #tables: { keys: Uint8Array[]; values: Uint8Array[] }[] = [];
  #bytes = 0;
  #liveBytes = 0;

  constructor(platform: Platform, storage: OrderedStorage, meta: SnapshotMeta) {
    this.#storage = storage;
    this.#meta = meta;
    this.#intake = new SnapshotIntake(platform, 'header', readDatabaseHeader);
    this.#reset();
  }

  /** Clears the storage and sets the mark, which keeps what is known of the members. */
  async begin(known: KnownMembers): Promise<void> {
    const { index, term } = this.#meta;
    await this.#storage.commit(markedEmpty(this.#storage, { position: { index, term }, known })).committed;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (const entries of this.#intake.push(chunk)) {
      this.#takeEntries(entries);
      if (this.#bytes >= limits.installBatchBytes) await this.#commit(null);
    }
  }

  /** Answers the state that is now stored, once it is durable. */
  async finish(): Promise<StoredState> {
    const { applied, summary, members, usesSystem, isSharded } = this.#intake.finish();
    const { revision, compactRevision } = summary;
    const state: StoredState = {
      applied,
      summary: {
        revision,
        compactRevision,
        // Nothing came that compaction would have to remove.
        compactedThrough: Math.max(compactRevision, 0),
        liveBytes: this.#liveBytes,
      },
      members,
      usesSystem,
      isSharded,
    };
    this.#buckets.end();
    await this.#commit(state);
    return state;
  }

  #takeEntries(part: SnapshotEntries): void {
    const { table, entries } = part;
    const writes = this.#tables[table] as { keys: Uint8Array[]; values: Uint8Array[] };
    for (const { key, value } of entries) {
      writes.keys.push(key);
      writes.values.push(value);
      this.#bytes += key.length + value.length;
      if (table === Table.LATEST) this.#buckets.add(key);
    }
    this.#liveBytes += liveBytesOf(part);
  }

  /** With a state: the last commit, awaited until it is durable. */
  async #commit(state: StoredState | null): Promise<void> {
    const tables: TableWrites[] = this.#tables.slice();
    tables[Table.BUCKETS] = this.#buckets.take();
    if (state !== null) {
      tables[Table.META] = {
        keys: [installingKey, installedKey, stateKey],
        values: [null, encodeInstalled(this.#meta), encodeState(state)],
      };
    }
    this.#reset();
    const commit = this.#storage.commit({ clear: false, tables });
    await commit.committed;
    if (state !== null) await commit.flushed;
  }

  #reset(): void {
    this.#tables = this.#storage.tables.map(() => ({ keys: [], values: [] }));
    this.#bytes = 0;
  }
}

/** What stays while a state is replaced. */
export interface InstallMark {
  /** Of the snapshot that was being installed. */
  readonly position: LogPosition;
  readonly known: KnownMembers;
}

/**
 * What the members have told about themselves, as of the state that is given up: by it a member that has lost its data
 * is kept out, and it must not come in through a peer whose state happens to be away.
 */
export interface KnownMembers {
  readonly at: number;
  readonly members: MemberRecords;
}

/** A storage with nothing but the mark that an install had begun. */
export function markedEmpty(storage: OrderedStorage, { position, known }: InstallMark): WriteBatch {
  const tables: TableWrites[] = storage.tables.map(() => ({ keys: [], values: [] }));
  const writer = new ByteWriter(32);
  writer.byte(storedFormats.keys);
  writer.varint(position.index);
  writer.varint(position.term);
  writer.varint(known.at);
  writeMembers(writer, known.members);
  tables[Table.META] = { keys: [installingKey], values: [writer.take()] };
  return { clear: true, tables };
}

export function decodeMark(record: Uint8Array): InstallMark {
  const reader = new ByteReader(record);
  checkFormat(reader.byte());
  const position = { index: reader.varint(), term: reader.varint() };
  // Earlier versions ended here.
  if (reader.remaining === 0) return { position, known: { at: 0, members: new Map() } };
  return { position, known: { at: reader.varint(), members: readMembers(reader) } };
}
