import { FlotillaError } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import type { ClosedLog } from '../mvcc/shard-logs.ts';
import type { StateSummary } from '../mvcc/state.ts';
import { readSpan, writeSpan } from '../shard/entry-fields.ts';
import type { KeySpan } from '../shard/key-span.ts';

/** A newer one is refused before anything is read. */
const rowVersion = 1;

/** What a node stores of a shard's part of its store. Nothing of it is any other node's business. */
export interface StoreRow {
  readonly span: KeySpan;
  readonly summary: StateSummary;
  readonly unevenThrough: number;
  readonly ownLog: number | null;
  readonly closedLogs: readonly ClosedLog[];
  /** Of the state; null: not known. */
  readonly sum: number | null;
}

export function encodeStoreRow(row: StoreRow): Uint8Array {
  const { span, summary, unevenThrough, ownLog, closedLogs, sum } = row;
  const writer = new ByteWriter(128);
  writer.byte(rowVersion);
  writeSpan(writer, span);
  writer.varint(summary.revision);
  // −1 means that nothing was ever compacted.
  writer.varint(summary.compactRevision + 1);
  writer.varint(summary.compactedThrough);
  // An estimate may be less than 0.
  writer.byte(summary.liveBytes < 0 ? 1 : 0);
  writer.varint(Math.abs(summary.liveBytes));
  writer.varint(unevenThrough);
  writer.varint(ownLog === null ? 0 : ownLog + 1);
  writer.varint(closedLogs.length);
  for (const closed of closedLogs) {
    writer.varint(closed.log);
    writeSpan(writer, closed.span);
    writer.varint(closed.through);
  }
  writer.byte(sum === null ? 0 : 1);
  if (sum !== null) writer.uint32(sum);
  return writer.take();
}

/** Throws `FLOTILLA_STORAGE_VERSION`. */
export function decodeStoreRow(row: Uint8Array): StoreRow {
  const reader = new ByteReader(row);
  const version = reader.byte();
  if (version !== rowVersion) {
    throw new FlotillaError(
      'FLOTILLA_STORAGE_VERSION',
      `a shard's store is in format ${version}; this program reads ${rowVersion}`,
    );
  }
  const span = readSpan(reader);
  const revision = reader.varint();
  const compactRevision = reader.varint() - 1;
  const compactedThrough = reader.varint();
  const sign = reader.byte() === 1 ? -1 : 1;
  const liveBytes = sign * reader.varint();
  const unevenThrough = reader.varint();
  const own = reader.varint();
  const closedLogs: ClosedLog[] = [];
  for (let left = reader.varint(); left > 0; left -= 1) {
    closedLogs.push({ log: reader.varint(), span: readSpan(reader), through: reader.varint() });
  }
  return {
    span,
    summary: { revision, compactRevision, compactedThrough, liveBytes },
    unevenThrough,
    ownLog: own === 0 ? null : own - 1,
    closedLogs,
    sum: reader.byte() === 0 ? null : reader.uint32(),
  };
}
