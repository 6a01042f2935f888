import { FlotillaError } from '@flotilla/platform';
import { copyBytes } from '../bytes.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import type { StateSummary } from './state.ts';

/**
 * Of everything in storage. A newer one is refused before anything is read. What is written has the oldest format that
 * can hold it, so that an older program goes on with a state that uses nothing new: 2 has records in the system table, 3
 * is of a sharded cluster.
 */
export const storedFormats = { keys: 1, system: 2, sharded: 3 } as const;

/** Where stored state stands in the log. */
export interface LogPosition {
  readonly index: number;
  readonly term: number;
}

export interface StoredState {
  readonly applied: LogPosition;
  readonly summary: StateSummary;
  readonly members: MemberRecords;
  /** Whether the system table has ever held a record. */
  readonly usesSystem: boolean;
  /** Whether there is an order, in the system table. */
  readonly isSharded: boolean;
}

/** By node id: what each member has told about itself. A few hundred bytes in all. */
export type MemberRecords = ReadonlyMap<number, Uint8Array>;

/** Sorted, as a batch must be. */
export const installingKey: Uint8Array = new Uint8Array([0x69]);
/** From which snapshot the stored state came, until an entry after it is stored. */
export const installedKey: Uint8Array = new Uint8Array([0x6a]);
export const stateKey: Uint8Array = new Uint8Array([0x73]);
/** The sum of the stored state, and of which entry it is. Programs that do not know of it leave one that is old. */
export const sumKey: Uint8Array = new Uint8Array([0x74]);

export function encodeSum({ index, term }: LogPosition, sum: number): Uint8Array {
  const writer = new ByteWriter(32);
  writer.byte(storedFormats.keys);
  writer.varint(index);
  writer.varint(term);
  writer.uint32(sum);
  return writer.take();
}

/** Null: there is none of that state. */
export function decodeSum(record: Uint8Array | null, applied: LogPosition): number | null {
  // Before the first entry there is nothing to sum.
  if (applied.index === 0) return 0;
  if (record === null) return null;
  const reader = new ByteReader(record);
  if (reader.byte() !== storedFormats.keys) return null;
  return reader.varint() === applied.index && reader.varint() === applied.term ? reader.uint32() : null;
}

export function encodeState(state: StoredState): Uint8Array {
  const writer = new ByteWriter(64);
  writer.byte(formatOf(state));
  writeState(writer, state);
  return writer.take();
}

/** Throws `FLOTILLA_STORAGE_VERSION` for state that a newer program wrote. */
export function decodeState(record: Uint8Array): StoredState {
  const reader = new ByteReader(record);
  const format = reader.byte();
  checkFormat(format);
  return readState(reader, format);
}

export function formatOf({ usesSystem, isSharded }: StoredState): number {
  if (isSharded) return storedFormats.sharded;
  return usesSystem ? storedFormats.system : storedFormats.keys;
}

export function checkFormat(format: number): void {
  if (format >= storedFormats.keys && format <= storedFormats.sharded) return;
  throw new FlotillaError(
    'FLOTILLA_STORAGE_VERSION',
    `the stored state has format ${format}; this program reads ${storedFormats.sharded}`,
  );
}

export function writeState(writer: ByteWriter, { applied, summary, members }: StoredState): void {
  writer.varint(applied.index);
  writer.varint(applied.term);
  writer.varint(summary.revision);
  // −1 means that nothing was ever compacted.
  writer.varint(summary.compactRevision + 1);
  writer.varint(summary.compactedThrough);
  // An estimate may be less than 0, see `node-store/`.
  writer.varint(Math.max(0, summary.liveBytes));
  writeMembers(writer, members);
}

export function writeMembers(writer: ByteWriter, members: MemberRecords): void {
  writer.varint(members.size);
  // In order, so that members with equal state store equal bytes.
  for (const [nodeId, record] of [...members].sort(([a], [b]) => a - b)) {
    writer.varint(nodeId);
    writer.lengthPrefixed(record);
  }
}

export function readState(reader: ByteReader, format: number): StoredState {
  return {
    applied: { index: reader.varint(), term: reader.varint() },
    summary: {
      revision: reader.varint(),
      compactRevision: reader.varint() - 1,
      compactedThrough: reader.varint(),
      liveBytes: reader.varint(),
    },
    members: readMembers(reader),
    usesSystem: format >= storedFormats.system,
    isSharded: format === storedFormats.sharded,
  };
}

export function readMembers(reader: ByteReader): MemberRecords {
  const members = new Map<number, Uint8Array>();
  for (let left = reader.varint(); left > 0; left -= 1) {
    const nodeId = reader.varint();
    members.set(nodeId, copyBytes(reader.lengthPrefixed()));
  }
  return members;
}
