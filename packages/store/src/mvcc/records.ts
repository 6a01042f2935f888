import type { KeyValue } from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import type { ByteWriter } from '../encoding/byte-writer.ts';

/** A version that is no longer the latest: visible at revisions in [`kv.modRevision`, `end`). */
export interface PastVersion {
  readonly kv: KeyValue;
  /** The revision that replaced or deleted it. */
  readonly end: number;
}

/** What counts as stored for one version: key, value, and the fields beside them. */
export function versionBytes(kv: KeyValue): number {
  return kv.key.length + kv.value.length + 16;
}

/** A version that is not the first change of its revision: etcd's hash and its files have the place. */
export class PlacedVersion implements KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: bigint;
  /** Not a field: it is no part of what a client is answered. */
  readonly #sub: number;

  constructor(kv: KeyValue, sub: number) {
    this.key = kv.key;
    this.createRevision = kv.createRevision;
    this.modRevision = kv.modRevision;
    this.version = kv.version;
    this.value = kv.value;
    this.lease = kv.lease;
    this.#sub = sub;
  }

  get sub(): number {
    return this.#sub;
  }
}

/** The place of a version among the changes of its revision, as far as it is known: {@link lastSub} and all after it are one. */
export function subOf(kv: KeyValue): number {
  return kv instanceof PlacedVersion ? Math.min(kv.sub, lastSub) : 0;
}

const withLease = 1;
/**
 * The other bits of the first byte are the place. Programs that did not know of it wrote zeros there and read past
 * them; its seven bits hold all places of a transaction within etcd's limit of operations.
 */
const subShift = 1;
export const lastSub = 127;

/** The key is not part of the record: it is the place in the table. */
export function writeVersion(writer: ByteWriter, kv: KeyValue): void {
  writer.byte((kv.lease === 0n ? 0 : withLease) | (subOf(kv) << subShift));
  writer.varint(kv.createRevision);
  writer.varint(kv.modRevision - kv.createRevision);
  writer.varint(kv.version);
  if (kv.lease !== 0n) writer.bigint64(kv.lease);
  writer.bytes(kv.value);
}

export function readVersion(key: Uint8Array, record: Uint8Array): KeyValue {
  return readFrom(key, new ByteReader(record));
}

export function writePastVersion(writer: ByteWriter, past: PastVersion): void {
  writer.varint(past.end - past.kv.modRevision);
  writeVersion(writer, past.kv);
}

export function readPastVersion(key: Uint8Array, record: Uint8Array): PastVersion {
  const reader = new ByteReader(record);
  const lasted = reader.varint();
  const kv = readFrom(key, reader);
  return { kv, end: kv.modRevision + lasted };
}

function readFrom(key: Uint8Array, reader: ByteReader): KeyValue {
  const flags = reader.byte();
  const createRevision = reader.varint();
  const modRevision = createRevision + reader.varint();
  const version = reader.varint();
  const lease = (flags & withLease) === 0 ? 0n : reader.bigint64();
  const kv: KeyValue = { key, createRevision, modRevision, version, value: reader.rest(), lease };
  const sub = flags >> subShift;
  return sub === 0 ? kv : new PlacedVersion(kv, sub);
}
