// Written by scripts/generate.ts from the schemas in proto/. Change those, not this.
import { Codec, EMPTY_BYTES } from '../protobuf/codec.ts';
import type { Reader } from '../protobuf/reader.ts';
import type { Writer } from '../protobuf/writer.ts';

/** Open, as proto3's enums are: a value from a newer version is kept as its number. */
export type EventType = number;
export const EventType = {
  PUT: 0,
  DELETE: 1,
} as const;

export interface KeyValue {
  readonly key: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly value: Uint8Array;
  readonly lease: bigint;
}

export const KeyValue: Codec<KeyValue> = new Codec<KeyValue>(
  'mvccpb.KeyValue',
  createKeyValue,
  writeKeyValue,
  readKeyValue,
);

function createKeyValue(partial?: Partial<KeyValue>): KeyValue {
  return {
    key: partial?.key ?? EMPTY_BYTES,
    createRevision: partial?.createRevision ?? 0,
    modRevision: partial?.modRevision ?? 0,
    version: partial?.version ?? 0,
    value: partial?.value ?? EMPTY_BYTES,
    lease: partial?.lease ?? 0n,
  };
}

function writeKeyValue(writer: Writer, message: KeyValue): void {
  if (message.lease !== 0n) {
    writer.int64Exact(message.lease);
    writer.varint32(48);
  }
  if (message.value.length > 0) {
    writer.bytes(message.value);
    writer.varint32(42);
  }
  if (message.version !== 0) {
    writer.int64(message.version);
    writer.varint32(32);
  }
  if (message.modRevision !== 0) {
    writer.int64(message.modRevision);
    writer.varint32(24);
  }
  if (message.createRevision !== 0) {
    writer.int64(message.createRevision);
    writer.varint32(16);
  }
  if (message.key.length > 0) {
    writer.bytes(message.key);
    writer.varint32(10);
  }
}

function readKeyValue(reader: Reader, base: KeyValue): KeyValue {
  let key = base.key;
  let createRevision = base.createRevision;
  let modRevision = base.modRevision;
  let version = base.version;
  let value = base.value;
  let lease = base.lease;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 10:
        key = reader.bytes();
        break;
      case 16:
        createRevision = reader.int64();
        break;
      case 24:
        modRevision = reader.int64();
        break;
      case 32:
        version = reader.int64();
        break;
      case 42:
        value = reader.bytes();
        break;
      case 48:
        lease = reader.int64Exact();
        break;
      default:
        reader.skip(tag);
    }
  }
  return {
    key,
    createRevision,
    modRevision,
    version,
    value,
    lease,
  };
}

export interface Event {
  readonly type: EventType;
  readonly kv: KeyValue | null;
  readonly prevKv: KeyValue | null;
}

export const Event: Codec<Event> = new Codec<Event>(
  'mvccpb.Event',
  createEvent,
  writeEvent,
  readEvent,
);

function createEvent(partial?: Partial<Event>): Event {
  return {
    type: partial?.type ?? 0,
    kv: partial?.kv ?? null,
    prevKv: partial?.prevKv ?? null,
  };
}

function writeEvent(writer: Writer, message: Event): void {
  if (message.prevKv !== null) {
    const end = writer.size;
    KeyValue.write(writer, message.prevKv);
    writer.varint32(writer.size - end);
    writer.varint32(26);
  }
  if (message.kv !== null) {
    const end = writer.size;
    KeyValue.write(writer, message.kv);
    writer.varint32(writer.size - end);
    writer.varint32(18);
  }
  if (message.type !== 0) {
    writer.int32(message.type);
    writer.varint32(8);
  }
}

function readEvent(reader: Reader, base: Event): Event {
  let type = base.type;
  let kv = base.kv;
  let prevKv = base.prevKv;
  while (reader.more()) {
    const tag = reader.tag();
    switch (tag) {
      case 8:
        type = reader.int32();
        break;
      case 18: {
        const outer = reader.enter();
        kv = KeyValue.read(reader, kv ?? KeyValue.empty);
        reader.leave(outer);
        break;
      }
      case 26: {
        const outer = reader.enter();
        prevKv = KeyValue.read(reader, prevKv ?? KeyValue.empty);
        reader.leave(outer);
        break;
      }
      default:
        reader.skip(tag);
    }
  }
  return {
    type,
    kv,
    prevKv,
  };
}
