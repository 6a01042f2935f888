import type { Platform } from '@flotilla/platform';
import type { Index, SnapshotSource, Term } from '@flotilla/raft';
import type { ByteReader } from '../encoding/byte-reader.ts';
import type { LogPosition } from '../mvcc/meta.ts';
import type { Pinned } from '../mvcc/pinned.ts';
import type { SharedShardStore } from '../node-store/node-store.ts';
import { checkSnapshotFormat, chunksOf, SnapshotFrames } from '../snapshot-frames.ts';
import { eventChunks, historyEntries, latestEntries, systemEntries } from '../snapshot-stream.ts';
import { readBytes, readList, readSpan, writeList, writeSpan } from './entry-fields.ts';
import type { KeySpan } from './key-span.ts';
import type { ShardMachine } from './shard-machine.ts';

/** Of snapshots of shards. A newer one is refused before anything is replaced. */
const shardSnapshotFormat = 1;

/** What a snapshot of a shard begins with; rows of its span follow. */
export interface ShardSnapshotHeader {
  readonly span: KeySpan;
  readonly revision: number;
  /** Of what comes: that of the machine may be greater. */
  readonly compactRevision: number;
  /** As `ShardMachine.flush` hands them out: they are stored as they are. */
  readonly records: readonly ShardRecord[];
}

export type ShardRecord = readonly [key: Uint8Array, record: Uint8Array];

/** Streams a shard as it is at the call: the machine, and the rows of its span. */
export class ShardSnapshot implements SnapshotSource {
  readonly index: Index;
  readonly term: Term;
  readonly #platform: Platform;
  readonly #pinned: Pinned;
  readonly #header: ShardSnapshotHeader;
  #isReleased = false;

  constructor(platform: Platform, machine: ShardMachine, store: SharedShardStore, applied: LogPosition) {
    this.#platform = platform;
    this.#pinned = store.pin();
    const { revision } = this.#pinned;
    const { span, keptFrom: compactRevision } = machine;
    this.#header = { span, revision, compactRevision, records: recordsOf(machine) };
    this.index = applied.index as Index;
    this.term = applied.term as Term;
  }

  release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    this.#pinned.release();
  }

  async *chunks(): AsyncIterable<Uint8Array> {
    try {
      yield* chunksOf(this.#platform, this.#frames());
    } finally {
      this.release();
    }
  }

  *#frames(): Iterable<Uint8Array> {
    const frames = new SnapshotFrames(this.#platform);
    const { span, revision, compactRevision, records } = this.#header;
    const { layers } = this.#pinned;
    yield frames.head('shard', (writer) => {
      writer.byte(shardSnapshotFormat);
      writeSpan(writer, span);
      writer.varint(revision);
      // −1 means that nothing was ever compacted.
      writer.varint(compactRevision + 1);
      writeList(writer, records, (target, [key, record]) => {
        target.lengthPrefixed(key);
        target.lengthPrefixed(record);
      });
    });
    yield* frames.table('latest', latestEntries(layers));
    yield* frames.table('history', historyEntries(layers, compactRevision));
    yield* frames.table('events', eventChunks({ layers, compactRevision }));
    yield* frames.table('system', systemEntries(layers));
    yield frames.end();
  }
}

/** Throws `FLOTILLA_SNAPSHOT_VERSION`. */
export function readShardHeader(reader: ByteReader): ShardSnapshotHeader {
  checkSnapshotFormat(reader.byte(), [shardSnapshotFormat]);
  const span = readSpan(reader);
  return {
    span,
    revision: reader.varint(),
    compactRevision: reader.varint() - 1,
    records: readList(reader, (source) => [readBytes(source), readBytes(source)] as const),
  };
}

function recordsOf(machine: ShardMachine): ShardRecord[] {
  const records: ShardRecord[] = [];
  machine.flush((key, record) => {
    if (record !== null) records.push([key, record]);
  }, true);
  return records;
}
