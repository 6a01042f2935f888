import { assert } from '@flotilla/platform';
import { bytesToText, textToBytes } from './text.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';

/** Data without behaviour: what a machine's state is made of. */
export type Plain =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Plain[]
  | { readonly [field: string]: Plain };

/**
 * Self-describing bytes for plain data, for state that is sent whole and rarely: names of fields are part of them.
 * Equal data gives equal bytes as long as fields come in the same order.
 */
export function encodePlain(value: unknown): Uint8Array {
  try {
    write(writer, value);
  } catch (error) {
    // What was refused leaves no bytes behind.
    writer.take();
    throw error;
  }
  return writer.take();
}

export function decodePlain<T>(bytes: Uint8Array): T {
  const reader = new ByteReader(bytes);
  const value = read(reader);
  assert(reader.remaining === 0, 'plain data ends where its bytes end');
  return value as T;
}

/** Stored; a number never changes its meaning. */
const Tag = {
  NULL: 0,
  FALSE: 1,
  TRUE: 2,
  NATURAL: 3,
  NEGATIVE: 4,
  BIGINT: 5,
  TEXT: 6,
  BYTES: 7,
  LIST: 8,
  RECORD: 9,
  INFINITY: 10,
} as const;

const writer = new ByteWriter(64 * 1024);

/** Names of fields are few and come again and again. */
const names = new Map<string, Uint8Array>();

function nameBytes(name: string): Uint8Array {
  let bytes = names.get(name);
  if (bytes === undefined) {
    bytes = textToBytes(name);
    names.set(name, bytes);
  }
  return bytes;
}

/** Of a name of a field. */
function nameOf(bytes: Uint8Array): string {
  let name = '';
  for (const byte of bytes) name += String.fromCharCode(byte);
  return name;
}

function write(target: ByteWriter, value: unknown): void {
  if (typeof value === 'boolean') target.byte(value ? Tag.TRUE : Tag.FALSE);
  else if (typeof value === 'number') writeNumber(target, value);
  else if (typeof value === 'bigint') {
    target.byte(Tag.BIGINT);
    target.bigint64(value);
  } else if (typeof value === 'string') {
    target.byte(Tag.TEXT);
    target.lengthPrefixed(textToBytes(value));
  } else writeObject(target, value);
}

function writeNumber(target: ByteWriter, value: number): void {
  if (value === Infinity) return target.byte(Tag.INFINITY);
  assert(Number.isSafeInteger(value), () => `${value} is a safe integer`);
  target.byte(value < 0 ? Tag.NEGATIVE : Tag.NATURAL);
  target.varint(Math.abs(value));
}

function writeObject(target: ByteWriter, value: unknown): void {
  if (value === null) return target.byte(Tag.NULL);
  if (value instanceof Uint8Array) {
    target.byte(Tag.BYTES);
    return target.lengthPrefixed(value);
  }
  if (Array.isArray(value)) {
    target.byte(Tag.LIST);
    target.varint(value.length);
    for (const element of value) write(target, element);
    return;
  }
  assert(typeof value === 'object', () => `a ${typeof value} is no plain data`);
  const fields = Object.keys(value);
  target.byte(Tag.RECORD);
  target.varint(fields.length);
  for (const name of fields) {
    target.lengthPrefixed(nameBytes(name));
    write(target, (value as Readonly<Record<string, unknown>>)[name]);
  }
}

function read(reader: ByteReader): Plain {
  const tag = reader.byte();
  switch (tag) {
    case Tag.NULL:
      return null;
    case Tag.FALSE:
      return false;
    case Tag.TRUE:
      return true;
    case Tag.NATURAL:
      return reader.varint();
    case Tag.NEGATIVE:
      return -reader.varint();
    case Tag.BIGINT:
      return reader.bigint64();
    case Tag.TEXT:
      return bytesToText(reader.lengthPrefixed());
    case Tag.BYTES:
      return reader.lengthPrefixed().slice();
    case Tag.LIST:
      return Array.from({ length: reader.varint() }, () => read(reader));
    case Tag.INFINITY:
      return Infinity;
    default: {
      assert(tag === Tag.RECORD, () => `${tag} is a tag of plain data`);
      const record: Record<string, Plain> = {};
      for (let left = reader.varint(); left > 0; left -= 1) {
        const name = nameOf(reader.lengthPrefixed());
        record[name] = read(reader);
      }
      return record;
    }
  }
}
