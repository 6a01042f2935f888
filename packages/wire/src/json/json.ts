import { Buffer } from 'node:buffer';
import { jsonFields } from '../generated/json.ts';
import type { Codec } from '../protobuf/codec.ts';
import { JsonReader, malformedJson } from './reader.ts';
import { type AnyCodec, type JsonField, type JsonSchema, schemaOfFields } from './schema.ts';

/**
 * A message in protobuf's JSON, as etcd's gateway writes it: the schema's names, 64-bit numbers as text, bytes in
 * base64, enums by name, nothing that has its default.
 *
 * @example
 * toJson(PutRequest, PutRequest.create({ key, lease: 7n })); // {"key":"Zm9v","lease":"7"}
 */
export function toJson<T>(codec: Codec<T>, message: T): string {
  return writeMessage(codec, message as AnyMessage);
}

/**
 * Reads what {@link toJson} writes, and everything else that protobuf's mapping allows: lowerCamelCase names, numbers
 * or text for numbers, enums as numbers, URL-safe and unpadded base64, `null` for what is not there. Unknown fields
 * are ignored, as etcd's gateway does. Throws INVALID_ARGUMENT.
 */
export function fromJson<T>(codec: Codec<T>, text: string): T {
  return readMessage(new JsonReader(text), codec) as T;
}

type AnyMessage = Readonly<Record<string, unknown>>;

const schemas = new Map<string, JsonSchema>();

function schemaOf(codec: AnyCodec): JsonSchema {
  const known = schemas.get(codec.name);
  if (known !== undefined) return known;
  const fields = jsonFields[codec.name];
  if (fields === undefined) throw new Error(`no JSON mapping was generated for ${codec.name}`);
  const schema = schemaOfFields(fields());
  schemas.set(codec.name, schema);
  return schema;
}

function writeMessage(codec: AnyCodec, message: AnyMessage): string {
  let text = '';
  for (const field of schemaOf(codec).fields) {
    const value = writeField(field, message);
    if (value !== null) text += `${text === '' ? '' : ','}"${field.name}":${value}`;
  }
  return `{${text}}`;
}

/** Null: it has its default. */
function writeField(field: JsonField, message: AnyMessage): string | null {
  if (field.oneof !== undefined) {
    const chosen = message[field.oneof] as { readonly case: string; readonly value: unknown } | null;
    return chosen?.case === field.property ? writeValue(field, chosen.value) : null;
  }
  const value = message[field.property];
  if (field.repeated === true) {
    const list = value as readonly unknown[];
    return list.length === 0 ? null : `[${list.map((item) => writeValue(field, item)).join(',')}]`;
  }
  return isDefault(value) ? null : writeValue(field, value);
}

function isDefault(value: unknown): boolean {
  if (value instanceof Uint8Array) return value.length === 0;
  return value === null || value === '' || value === false || value === 0 || value === 0n;
}

function writeValue(field: JsonField, value: unknown): string {
  switch (field.type) {
    case 'bytes': {
      const { buffer, byteOffset, length } = value as Uint8Array;
      return `"${Buffer.from(buffer, byteOffset, length).toString('base64')}"`;
    }
    case 'string':
      return JSON.stringify(value);
    case 'bool':
    case 'int32':
    case 'uint32':
      return String(value);
    case 'int64':
    case 'int64Exact':
    case 'uint64':
      return `"${String(value)}"`;
    case 'enum': {
      const name = Object.keys(field.values).find((key) => field.values[key] === value);
      return name === undefined ? String(value) : `"${name}"`;
    }
    case 'message':
      return writeMessage(field.codec, value as AnyMessage);
  }
}

function readMessage(reader: JsonReader, codec: AnyCodec): unknown {
  requireKind(reader, 'object');
  const { byName } = schemaOf(codec);
  const partial: Record<string, unknown> = {};
  const seen = new Set<JsonField>();
  for (let name = reader.enterObject(); name !== null; name = reader.nextName()) {
    const field = byName.get(name);
    if (field === undefined) {
      reader.skip();
      continue;
    }
    const place = reader.position;
    if (seen.has(field)) throw refused(reader, place, `duplicate field ${JSON.stringify(name)}`);
    seen.add(field);
    if (reader.kind() === 'null') {
      reader.null();
    } else if (field.oneof !== undefined) {
      if (partial[field.oneof] !== undefined) {
        throw refused(reader, place, `error parsing ${JSON.stringify(name)}, oneof is already set`);
      }
      partial[field.oneof] = { case: field.property, value: readValue(reader, field) };
    } else {
      partial[field.property] = field.repeated === true ? readList(reader, field) : readValue(reader, field);
    }
  }
  return codec.create(partial as never);
}

function readList(reader: JsonReader, field: JsonField): readonly unknown[] {
  requireKind(reader, 'array');
  const list: unknown[] = [];
  for (let more = reader.enterArray(); more; more = reader.nextElement()) list.push(readValue(reader, field));
  return list;
}

function readValue(reader: JsonReader, field: JsonField): unknown {
  const { type } = field;
  if (type === 'message') return readMessage(reader, field.codec);
  const kind = reader.kind();
  const place = reader.position;
  if (type === 'bool' && kind === 'boolean') return reader.boolean();
  const isText = kind === 'string';
  const text = isText ? reader.string() : kind === 'number' ? reader.number() : null;
  const value = text === null ? null : readScalar(field, text, isText);
  if (value !== null) return value;
  const raw = text === null ? reader.skip() : isText ? JSON.stringify(text) : text;
  const shown = raw.length > SHOWN_CHARACTERS ? `${raw.slice(0, SHOWN_CHARACTERS)}…` : raw;
  throw refused(reader, place, `invalid value for ${typeName(field)} field ${field.name}: ${shown}`);
}

/** Null: the text is no such value. */
function readScalar(field: JsonField, text: string, isText: boolean): unknown {
  switch (field.type) {
    case 'bytes':
      return isText ? readBase64(text) : null;
    case 'string':
      return isText ? text : null;
    case 'int32':
      return numberBetween(text, -0x8000_0000n, 0x7fff_ffffn);
    case 'uint32':
      return numberBetween(text, 0n, 0xffff_ffffn);
    case 'int64': {
      const exact = integerBetween(text, MIN_INT64, MAX_INT64);
      return exact === null ? null : clamp(exact);
    }
    case 'int64Exact':
      return integerBetween(text, MIN_INT64, MAX_INT64);
    case 'uint64':
      return integerBetween(text, 0n, MAX_UINT64);
    case 'enum':
      // A name that is not known is refused, as etcd 3.4 did: ignoring it would run another request than was meant.
      if (isText) return Object.hasOwn(field.values, text) ? field.values[text] : null;
      return numberBetween(text, -0x8000_0000n, 0x7fff_ffffn);
    case 'bool':
    case 'message':
      return null;
  }
}

/** Either alphabet, but not both; padded or not, but not wrongly. Line ends are ignored, as Go does. */
function readBase64(text: string): Uint8Array | null {
  const plain = /[\r\n]/.test(text) ? text.replace(/[\r\n]/g, '') : text;
  const alphabet = /[-_]/.test(plain) ? /^[-_A-Za-z0-9]*(={0,2})$/ : /^[+/A-Za-z0-9]*(={0,2})$/;
  const match = alphabet.exec(plain);
  if (match === null) return null;
  const padding = (match[1] as string).length;
  if (
    plain.length % 4 === 0 ? padding === plain.length && padding > 0 : padding > 0 || plain.length % 4 === 1
  ) {
    return null;
  }
  const { buffer, byteOffset, length } = Buffer.from(plain, 'base64');
  return new Uint8Array(buffer, byteOffset, length);
}

/** An integer in any of JSON's spellings, `1e3` and `10.0` among them. Null: none, or out of bounds. */
function integerBetween(text: string, min: bigint, max: bigint): bigint | null {
  const match = integerPattern.exec(text);
  if (match === null) return null;
  const [, sign, whole, fraction = '', exponentText = '0'] = match as unknown as [string, string, string];
  const exponent = Number(exponentText);
  if (Math.abs(exponent) > MAX_EXPONENT || fraction.length > MAX_EXPONENT) return null;
  const digits = `${whole}${fraction}`;
  const shift = exponent - fraction.length;
  const kept = shift >= 0 ? digits.padEnd(digits.length + shift, '0') : digits.slice(0, shift);
  const dropped = shift >= 0 ? '' : digits.slice(shift);
  if (/[1-9]/.test(dropped) || kept.length > MAX_DIGITS) return null;
  const value = BigInt(`${kept === '' ? '0' : kept}`) * (sign === '-' ? -1n : 1n);
  return value < min || value > max ? null : value;
}

function numberBetween(text: string, min: bigint, max: bigint): number | null {
  const value = integerBetween(text, min, max);
  return value === null ? null : Number(value);
}

/** As the binary reader does: no revision or count that is real is so large. */
function clamp(value: bigint): number {
  if (value > MAX_SAFE) return Number.MAX_SAFE_INTEGER;
  return value < -MAX_SAFE ? Number.MIN_SAFE_INTEGER : Number(value);
}

const integerPattern = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([-+]?[0-9]+))?$/;
const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;
const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const MAX_EXPONENT = 400;
/** More than any 64-bit number, leading zeros of a fraction included. */
const MAX_DIGITS = 900;
/** Of a value that is refused, in the message. */
const SHOWN_CHARACTERS = 100;

function requireKind(reader: JsonReader, kind: 'object' | 'array'): void {
  const found = reader.kind();
  if (found === kind) return;
  const place = reader.position;
  const raw = found === 'object' ? '{' : found === 'array' ? '[' : reader.skip();
  throw malformedJson(
    `proto: syntax error ${reader.placeOf(place)}: unexpected token ${raw.slice(0, SHOWN_CHARACTERS)}`,
  );
}

function refused(reader: JsonReader, place: number, message: string): Error {
  return malformedJson(`proto: ${reader.placeOf(place)}: ${message}`);
}

function typeName(field: JsonField): string {
  return field.type === 'int64Exact' ? 'int64' : field.type;
}
