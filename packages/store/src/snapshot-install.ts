import type { Platform } from '@flotilla/platform';
import type { SnapshotMeta } from '@flotilla/raft';
import { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
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
import type { StateSummary } from './mvcc/state.ts';
import { Table } from './mvcc/tables.ts';
import type { RowInstall } from './node-store/node-store.ts';
import { ShardRowName, shardRowKey } from './node-store/shard-rows.ts';
import { SpanInstall } from './node-store/span-install.ts';
import type { MetaRow } from './node-store/store-part.ts';
import { encodeStoreRow } from './node-store/store-row.ts';
import { orderShard } from './shard/shard-entry.ts';
import { liveBytesOf, SnapshotIntake } from './snapshot-frames.ts';
import { type DatabaseHeader, readDatabaseHeader } from './snapshot-stream.ts';
import type { OrderedStorage, TableWrites, WriteBatch } from './storage.ts';

/** Brings in rows, once it is known what the snapshot is of. Gives up what there was, unless that was done before. */
export type BeginRows = (header: DatabaseHeader) => Promise<RowInstall>;

/**
 * Replaces a state by a snapshot, commit by commit. A mark is left before the first, and the last takes it away and says
 * what the state is: whoever finds the mark has no state.
 */
export class SnapshotInstall {
  readonly #meta: SnapshotMeta;
  readonly #intake: SnapshotIntake<DatabaseHeader>;
  readonly #begin: BeginRows;
  #rows: RowInstall | null = null;
  #liveBytes = 0;

  constructor(platform: Platform, meta: SnapshotMeta, begin: BeginRows) {
    this.#meta = meta;
    this.#intake = new SnapshotIntake(platform, 'header', readDatabaseHeader);
    this.#begin = begin;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (const part of this.#intake.push(chunk)) {
      const rows = await this.#begun();
      this.#liveBytes += liveBytesOf(part);
      await rows.write(part.table, part.entries);
    }
    if (this.#intake.header !== null) await this.#begun();
  }

  /** Answers the state that is now stored, once it is durable. */
  async finish(): Promise<StoredState> {
    const header = this.#intake.finish();
    const { revision, compactRevision } = header.state.summary;
    const summary: StateSummary = {
      revision,
      compactRevision,
      // Nothing came that compaction would have to remove.
      compactedThrough: Math.max(compactRevision, 0),
      liveBytes: this.#liveBytes,
    };
    const state: StoredState = { ...header.state, summary };
    const rows = await this.#begun();
    await rows.finish([
      { key: installingKey, value: null },
      { key: installedKey, value: encodeInstalled(this.#meta) },
      { key: stateKey, value: encodeState(state) },
      ...storeRows(header, summary, rows.log),
    ]);
    return state;
  }

  async abort(): Promise<void> {
    await this.#rows?.abort();
  }

  async #begun(): Promise<RowInstall> {
    this.#rows ??= await this.#begin(this.#intake.header as DatabaseHeader);
    return this.#rows;
  }
}

/** Of a database that has not everything. */
function storeRows({ state, span }: DatabaseHeader, summary: StateSummary, log: number): MetaRow[] {
  if (!state.isSharded) return [];
  const value = encodeStoreRow({
    span,
    summary,
    unevenThrough: 0,
    ownLog: log,
    closedLogs: [],
    sum: null,
  });
  return [{ key: shardRowKey(orderShard, ShardRowName.STORE), value }];
}

/** Clears the storage and sets the mark, which keeps what is known of the members. Rows come when they are there. */
export async function replaceWhole(
  storage: OrderedStorage,
  { index, term }: SnapshotMeta,
  known: KnownMembers,
): Promise<BeginRows> {
  await storage.commit(markedEmpty(storage, { position: { index, term }, known })).committed;
  const commit = async (batch: WriteBatch): Promise<{ readonly flushed: Promise<void> }> => {
    const { committed, flushed } = storage.commit(batch);
    await committed;
    return { flushed };
  };
  return ({ span }) => {
    const rows = new SpanInstall(span, 0, storage.tables.length, commit);
    return Promise.resolve({
      log: 0,
      write: (table, part) => rows.write(table, part),
      finish: (meta) => rows.finish(meta),
      // The mark stays.
      abort: () => Promise.resolve(),
    });
  };
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
  tables[Table.META] = { keys: [installingKey], values: [encodeMark(position, known)] };
  return { clear: true, tables };
}

export function encodeMark(position: LogPosition, known: KnownMembers): Uint8Array {
  const writer = new ByteWriter(32);
  writer.byte(storedFormats.keys);
  writer.varint(position.index);
  writer.varint(position.term);
  writer.varint(known.at);
  writeMembers(writer, known.members);
  return writer.take();
}

export function decodeMark(record: Uint8Array): InstallMark {
  const reader = new ByteReader(record);
  checkFormat(reader.byte());
  const position = { index: reader.varint(), term: reader.varint() };
  // Earlier versions ended here.
  if (reader.remaining === 0) return { position, known: { at: 0, members: new Map() } };
  return { position, known: { at: reader.varint(), members: readMembers(reader) } };
}
