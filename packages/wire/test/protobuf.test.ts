import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { GENERATED, generate } from '../scripts/generate.ts';
import { loadSchemas, membersOf, propertyName } from '../scripts/schemas.ts';
import type { Field } from '../scripts/schemas.ts';
import { codecOf, messageArbitrary } from './schema-arbitrary.ts';
import type { AnyMessage } from './schema-arbitrary.ts';

const { root, files } = loadSchemas();
const messages = files.flatMap((file) => file.messages);

describe('generated codecs', () => {
  test('are what the generator writes from the schemas', () => {
    const texts = generate();
    expect(readdirSync(GENERATED).sort()).toEqual([...texts.keys()].sort());
    for (const [name, text] of texts) expect(readFileSync(join(GENERATED, name), 'utf8')).toBe(text);
  });

  test('serve the 42 methods of etcd and those of lock, election and health', () => {
    const services = files.flatMap((file) => file.services);
    const count = (packageName: string): number =>
      services
        .filter((service) => service.fullName.startsWith(`.${packageName}.`))
        .reduce((sum, service) => sum + service.methodsArray.length, 0);
    expect(count('etcdserverpb')).toBe(42);
    expect(count('v3lockpb') + count('v3electionpb')).toBe(7);
    expect(count('grpc.health.v1')).toBe(2);
  });

  test.each(messages.map((message) => [message.fullName.slice(1), message] as const))(
    '%s agrees with protobufjs in both directions',
    (_, type) => {
      const codec = codecOf(type.name);
      const oracle = root.lookupType(type.fullName);
      fc.assert(
        fc.property(messageArbitrary(type, 3), (message) => {
          const plain = toOracle(type, message);
          const ours = codec.encode(message);
          expect(fromOracle(oracle, oracle.decode(ours))).toEqual(
            fromOracle(oracle, oracle.fromObject(plain)),
          );
          const theirs = oracle.encode(oracle.fromObject(plain)).finish();
          expect(codec.decode(theirs)).toEqual(message);
          expect(codec.decode(ours, { copy: true })).toEqual(message);
        }),
        { numRuns: 40 },
      );
    },
  );
});

/** protobufjs's plain object for a message of ours. */
function toOracle(type: protobuf.Type, message: AnyMessage): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const member of membersOf(type)) {
    const value = message[member.property];
    if (member.kind === 'oneof') {
      if (value === null) continue;
      const chosen = value as { readonly case: string; readonly value: unknown };
      for (const field of member.fields) {
        if (field.property === chosen.case)
          plain[protoName(type, field)] = toOracleValue(type, field, chosen.value);
      }
    } else if (member.field.repeated) {
      const list = value as readonly unknown[];
      plain[protoName(type, member.field)] = list.map((item) => toOracleValue(type, member.field, item));
    } else if (value !== null) {
      plain[protoName(type, member.field)] = toOracleValue(type, member.field, value);
    }
  }
  return plain;
}

function toOracleValue(type: protobuf.Type, field: Field, value: unknown): unknown {
  switch (field.type.kind) {
    case 'message':
      return toOracle(type.lookupType(field.type.name), value as AnyMessage);
    case 'int64':
    case 'int64Exact':
    case 'uint64':
      return String(value);
    case 'bytes':
    case 'string':
    case 'bool':
    case 'int32':
    case 'uint32':
    case 'enum':
      return value;
  }
}

function protoName(type: protobuf.Type, field: Field): string {
  const found = type.fieldsArray.find((candidate) => propertyName(candidate.name) === field.property);
  if (found === undefined) throw new Error(`${type.name} has no ${field.property}`);
  return found.name;
}

function fromOracle(type: protobuf.Type, message: protobuf.Message): unknown {
  return type.toObject(message, { longs: String, bytes: Array, arrays: true, oneofs: true });
}
