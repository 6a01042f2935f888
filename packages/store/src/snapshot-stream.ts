import type { Platform } from '@flotilla/platform';
import type { Index, SnapshotSource, Term } from '@flotilla/raft';
import { successor } from './bytes.ts';
import type { ByteReader } from './encoding/byte-reader.ts';
import { ByteWriter } from './encoding/byte-writer.ts';
import { EventCursor } from './mvcc/event-cursor.ts';
import { EventChunkWriter } from './mvcc/event-log.ts';
import { wholeSpan } from './mvcc/key-scope.ts';
import { eventKey, eventsEnd } from './mvcc/keys.ts';
import type { Layers } from './mvcc/layers.ts';
import { limits } from './limits.ts';
import { formatOf, readState, storedFormats, writeState } from './mvcc/meta.ts';
import type { StoredState } from './mvcc/meta.ts';
import type { Pinned } from './mvcc/pinned.ts';
import type { ReadPoint } from './mvcc/range.ts';
import { writePastVersion, writeVersion } from './mvcc/records.ts';
import { readSpan, writeSpan } from './shard/entry-fields.ts';
import type { KeySpan } from './shard/key-span.ts';
import { checkSnapshotFormat, chunksOf, type SnapshotEntry, SnapshotFrames } from './snapshot-frames.ts';

/**
 * Streams a pinned state, with the history from the compaction revision of `state` on. Releases it at the end, or when told
 * to. Its format is that of the stored state.
 */
export class DatabaseSnapshot implements SnapshotSource {
  readonly index: Index;
  readonly term: Term;
  readonly #platform: Platform;
  readonly #pinned: Pinned;
  readonly #state: StoredState;

  constructor(platform: Platform, pinned: Pinned, state: StoredState) {
    this.#platform = platform;
    this.#pinned = pinned;
    this.#state = state;
    this.index = state.applied.index as Index;
    this.term = state.applied.term as Term;
  }

  release(): void {
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
    const { layers } = this.#pinned;
    const { isSharded, summary } = this.#state;
    const { compactRevision } = summary;
    yield frames.head('header', (writer) => {
      writer.byte(formatOf(this.#state));
      writeState(writer, this.#state);
      if (isSharded) writeSpan(writer, layers.scope.span);
    });
    yield* frames.table('latest', latestEntries(layers));
    yield* frames.table('history', historyEntries(layers, compactRevision));
    yield* frames.table('events', isSharded ? eventChunks({ layers, compactRevision }) : this.#events());
    yield* frames.table('system', systemEntries(layers));
    yield frames.end();
  }

  *#events(): Iterable<SnapshotEntry> {
    const { layers, compactRevision } = this.#pinned;
    // From the chunk on that holds the compaction revision: a watch may start there.
    const start = successor(eventKey(0, Math.max(compactRevision, 0), 0));
    const floor = layers.scanEvents({ from: null, to: start, reverse: true });
    const from = floor.key;
    floor.close();
    const cursor = layers.scanEvents({ from, to: eventsEnd(0), reverse: false });
    for (; cursor.key !== null; cursor.advance()) yield { key: cursor.key, value: cursor.value };
  }
}

export function* latestEntries(layers: Layers): Iterable<SnapshotEntry> {
  const record = new ByteWriter();
  const cursor = layers.scanLatest({ from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    writeVersion(record, cursor.value);
    yield { key: cursor.key, value: record.take() };
  }
}

export function* systemEntries(layers: Layers): Iterable<SnapshotEntry> {
  const cursor = layers.scanSystem({ from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) yield { key: cursor.key, value: cursor.value };
}

export function* historyEntries(layers: Layers, compactRevision: number): Iterable<SnapshotEntry> {
  const record = new ByteWriter();
  const cursor = layers.scanHistory({ from: null, to: null, reverse: false });
  for (; cursor.key !== null; cursor.advance()) {
    const past = cursor.value;
    // Compaction has not come to it yet, but nobody can read it any more.
    if (!isReadable(past.kv.modRevision, past.end, compactRevision)) continue;
    writePastVersion(record, past);
    yield { key: cursor.key, value: record.take() };
  }
}

/** The events from the compaction revision on, as chunks of one log whatever logs they are in. */
export function* eventChunks({
  layers,
  compactRevision,
}: Pick<ReadPoint, 'layers' | 'compactRevision'>): Iterable<SnapshotEntry> {
  const chunk = new EventChunkWriter(limits.eventSlabBytes);
  const place = (): Uint8Array => eventKey(0, chunk.firstRevision, chunk.firstSub);
  const cursor = new EventCursor(layers, Math.max(compactRevision, 0));
  try {
    for (; cursor.event !== null; cursor.advance()) {
      chunk.append(cursor.event);
      if (chunk.isFull) yield { key: place(), value: chunk.take() };
    }
    if (!chunk.isEmpty) yield { key: place(), value: chunk.take() };
  } finally {
    cursor.close();
  }
}

/** Whether a past version can still be read, or be asked for by a watch that starts at the compaction revision. */
export function isReadable(modRevision: number, end: number, compactRevision: number): boolean {
  return end > compactRevision || modRevision === compactRevision;
}

/** Of a whole database. Throws `FLOTILLA_SNAPSHOT_VERSION`. */
export function readDatabaseHeader(reader: ByteReader): DatabaseHeader {
  const format = reader.byte();
  checkSnapshotFormat(format, Object.values(storedFormats));
  const state = readState(reader, format);
  return { state, span: state.isSharded ? readSpan(reader) : wholeSpan };
}

export interface DatabaseHeader {
  readonly state: StoredState;
  /** Of the keys, those that come: shard 0's. */
  readonly span: KeySpan;
}
