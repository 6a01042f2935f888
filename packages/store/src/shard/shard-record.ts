import { FlotillaError } from '@flotilla/platform';
import type { Configuration } from '@flotilla/raft';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { readConfiguration, writeConfiguration } from '../installed-snapshot.ts';
import type { LogPosition } from '../mvcc/meta.ts';

/** A newer one is refused before anything is read. */
const recordVersion = 1;

/** What a replica stores of itself beside its machine and the rows of its keys. */
export interface ShardRecord {
  readonly applied: LogPosition;
  readonly configurations: GroupConfigurations;
}

export interface GroupConfigurations {
  /** That the group began with, which its log may still need at a start. */
  readonly initial: Configuration;
  /** As of the last entry that was applied. */
  readonly present: Configuration;
}

export function encodeShardRecord({ applied, configurations }: ShardRecord): Uint8Array {
  const writer = new ByteWriter(128);
  writer.byte(recordVersion);
  writer.varint(applied.index);
  writer.varint(applied.term);
  writeConfigurations(writer, configurations);
  return writer.take();
}

/** Throws `FLOTILLA_STORAGE_VERSION`. */
export function decodeShardRecord(record: Uint8Array): ShardRecord {
  const reader = begin(record);
  const applied = { index: reader.varint(), term: reader.varint() };
  return { applied, configurations: readConfigurations(reader) };
}

/** What stays known while there is no state. */
export function encodeInstallNote(initial: Configuration): Uint8Array {
  const writer = new ByteWriter(64);
  writer.byte(recordVersion);
  writeConfiguration(writer, initial);
  return writer.take();
}

/** Throws `FLOTILLA_STORAGE_VERSION`. */
export function decodeInstallNote(note: Uint8Array): Configuration {
  return readConfiguration(begin(note));
}

function writeConfigurations(writer: ByteWriter, { initial, present }: GroupConfigurations): void {
  writeConfiguration(writer, initial);
  writeConfiguration(writer, present);
}

function readConfigurations(reader: ByteReader): GroupConfigurations {
  return { initial: readConfiguration(reader), present: readConfiguration(reader) };
}

function begin(record: Uint8Array): ByteReader {
  const reader = new ByteReader(record);
  const version = reader.byte();
  if (version !== recordVersion) {
    throw new FlotillaError(
      'FLOTILLA_STORAGE_VERSION',
      `a replica is stored in format ${version}; this program reads ${recordVersion}`,
    );
  }
  return reader;
}
