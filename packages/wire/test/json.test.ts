import fc from 'fast-check';
import type protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { loadSchemas } from '../scripts/schemas.ts';
import { fromJson, toJson } from '../src/json/json.ts';
import { codecOf, messageArbitrary } from './schema-arbitrary.ts';

const { root, files } = loadSchemas();
const messages = files.flatMap((file) => file.messages);

test.each(messages.map((message) => [message.fullName.slice(1), message] as const))(
  '%s means the same in JSON as in binary, to us and to protobufjs',
  (_, type) => {
    const codec = codecOf(type.name);
    const oracle = root.lookupType(type.fullName);
    fc.assert(
      fc.property(messageArbitrary(type, 2), (message) => {
        const json = toJson(codec, message);
        expect(fromJson(codec, json)).toEqual(message);
        const theirs = oracle.toObject(oracle.decode(codec.encode(message)), options);
        expect(plain(JSON.parse(json))).toEqual(plain(theirs));
      }),
      { numRuns: 25 },
    );
  },
);

/** JSON as protobufjs writes it, which is proto3's mapping but for the defaults that a schema's oneofs keep. */
const options: protobuf.IConversionOptions = { longs: String, bytes: String, enums: String };

/** In a comparable order. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
