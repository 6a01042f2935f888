import fc from 'fast-check';
import type protobuf from 'protobufjs';
import * as generated from '../src/generated/index.ts';
import { Codec } from '../src/protobuf/codec.ts';
import { membersOf } from '../scripts/schemas.ts';
import type { Field, Member } from '../scripts/schemas.ts';

/** Any message: fields by property name. */
export type AnyMessage = Readonly<Record<string, unknown>>;

/** The generated codec of a schema's message. */
export function codecOf(name: string): Codec<AnyMessage> {
  const codec = (generated as Readonly<Record<string, unknown>>)[name];
  if (!(codec instanceof Codec)) throw new Error(`no codec is generated for ${name}`);
  return codec as Codec<AnyMessage>;
}

/** Messages of every shape, with the extremes of every scalar; nested to `depth`. */
export function messageArbitrary(type: protobuf.Type, depth: number): fc.Arbitrary<AnyMessage> {
  const record: Record<string, fc.Arbitrary<unknown>> = {};
  for (const member of membersOf(type)) record[member.property] = memberArbitrary(type, member, depth);
  return fc.record(record);
}

function memberArbitrary(type: protobuf.Type, member: Member, depth: number): fc.Arbitrary<unknown> {
  if (member.kind === 'oneof') {
    const cases = member.fields
      .filter((field) => depth > 0 || field.type.kind !== 'message')
      .map((field) =>
        fc.record({ case: fc.constant(field.property), value: valueArbitrary(type, field, depth) }),
      );
    return fc.oneof(fc.constant(null), ...cases);
  }
  const { field } = member;
  if (field.repeated) {
    if (field.type.kind === 'message' && depth === 0) return fc.constant([]);
    return fc.array(valueArbitrary(type, field, depth), { maxLength: 3 });
  }
  if (field.type.kind !== 'message') return valueArbitrary(type, field, depth);
  return depth === 0 ? fc.constant(null) : fc.oneof(fc.constant(null), valueArbitrary(type, field, depth));
}

function valueArbitrary(type: protobuf.Type, field: Field, depth: number): fc.Arbitrary<unknown> {
  switch (field.type.kind) {
    case 'bytes':
      return fc.uint8Array({ maxLength: 200 });
    case 'string':
      return fc.string({ unit: 'grapheme', maxLength: 40 });
    case 'bool':
      return fc.boolean();
    case 'int32':
    case 'enum':
      return fc.oneof(fc.constantFrom(0, 1, -1, 0x7fff_ffff, -0x8000_0000), fc.integer());
    case 'uint32':
      return fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
    case 'int64':
      return fc.oneof(fc.constantFrom(...int64Edges()), fc.maxSafeInteger());
    case 'int64Exact':
      return fc.oneof(
        fc.constantFrom(0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      );
    case 'uint64':
      return fc.oneof(fc.constantFrom(0n, 1n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    case 'message':
      return messageArbitrary(type.lookupType(field.type.name), depth - 1);
  }
}

/** Both sides of every length that a varint can have, and the ends. */
function int64Edges(): readonly number[] {
  const edges = [0, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
  for (let bits = 7; bits < 53; bits += 7) edges.push(2 ** bits - 1, 2 ** bits);
  for (const bits of [31, 32, 33, 52]) edges.push(2 ** bits - 1, 2 ** bits, -(2 ** bits));
  return edges;
}
