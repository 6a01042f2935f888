import { assert, unreachable } from '@flotilla/platform';
import { TxnResponse } from '@flotilla/wire';
import type { ApplyResult } from '../apply-result.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import { decodeReply, encodeReply } from '../sessions/reply.ts';
import { sessionErrors } from '../sessions/session-errors.ts';
import {
  readBoolean,
  readDecision,
  readList,
  readText,
  writeBoolean,
  writeDecision,
  writeList,
  writeText,
} from './entry-fields.ts';
import type { Outcome } from './request-memory.ts';
import type { Decision } from './shard-entry.ts';

/** What is remembered of one session, as a record. A commit writes that of every session that has changed. */
export interface SessionRecord {
  /** Null: nothing but decisions is kept. */
  readonly floor: number | null;
  readonly outcomes: readonly (readonly [request: number, outcome: Outcome])[];
  readonly decided: readonly Decision[];
}

const recordVersion = 1;
const writer = new ByteWriter(64 * 1024);
const outcomeWriter = new ByteWriter(4 * 1024);

/** `encoded`: the outcomes, each as {@link encodeOutcome} has it. */
export function encodeSession(
  floor: number | null,
  encoded: readonly (readonly [request: number, outcome: Uint8Array])[],
  decided: readonly Decision[],
): Uint8Array {
  writer.byte(recordVersion);
  writer.varint(floor === null ? 0 : floor + 1);
  writer.varint(encoded.length);
  for (const [request, outcome] of encoded) {
    writer.varint(request);
    writer.lengthPrefixed(outcome);
  }
  writeList(writer, decided, writeDecision);
  return writer.take();
}

export function decodeSession(record: Uint8Array): SessionRecord {
  const reader = new ByteReader(record);
  const version = reader.byte();
  assert(version === recordVersion, () => `${version} is a version of what is remembered of a session`);
  const floor = reader.varint();
  const outcomes = readList(reader, (): readonly [number, Outcome] => [
    reader.varint(),
    decodeOutcome(reader.lengthPrefixed()),
  ]);
  return { floor: floor === 0 ? null : floor - 1, outcomes, decided: readList(reader, readDecision) };
}

/** Stored; a number never changes its meaning. */
const Code = { WRITTEN: 1, UNCHANGED: 2, COMMITTED: 3 } as const;

/** The bytes are the taker's, and share memory with nothing. */
export function encodeOutcome(outcome: Outcome): Uint8Array {
  const target = outcomeWriter;
  switch (outcome.kind) {
    case 'written':
      target.byte(Code.WRITTEN);
      target.varint(outcome.seq);
      target.varint(outcome.from);
      writeNullable(target, outcome.revision);
      target.bytes(encodeReply(noDigest, outcome.result));
      break;
    case 'unchanged':
      target.byte(Code.UNCHANGED);
      target.varint(outcome.from);
      target.varint(outcome.seen);
      target.varint(outcome.prepared);
      writeNullable(target, outcome.bound);
      target.bytes(encodeReply(noDigest, outcome.result));
      break;
    case 'committed':
      target.byte(Code.COMMITTED);
      writeText(target, outcome.transaction);
      target.varint(outcome.revision);
      writeBoolean(target, outcome.effective);
      writeList(target, outcome.participants, (to, shard) => to.varint(shard));
      writeList(
        target,
        [...outcome.parts].sort(([a], [b]) => a - b),
        (to, [shard, part]) => {
          to.varint(shard);
          to.lengthPrefixed(TxnResponse.encode(part));
        },
      );
      if (outcome.error !== null) target.bytes(encodeReply(noDigest, outcome.error));
      break;
    default:
      unreachable(outcome);
  }
  return target.take().slice();
}

/** Fields come in the order that they have where an outcome is made: states are compared as bytes. */
function decodeOutcome(bytes: Uint8Array): Outcome {
  const reader = new ByteReader(bytes);
  const code = reader.byte();
  switch (code) {
    case Code.WRITTEN:
      return {
        kind: 'written',
        seq: reader.varint(),
        from: reader.varint(),
        revision: readNullable(reader),
        result: resultOf(reader.rest()),
      };
    case Code.UNCHANGED: {
      const [from, seen, prepared] = [reader.varint(), reader.varint(), reader.varint()];
      const bound = readNullable(reader);
      return { kind: 'unchanged', result: resultOf(reader.rest()), from, seen, prepared, bound };
    }
    default: {
      assert(code === Code.COMMITTED, () => `${code} is a kind of outcome`);
      return {
        kind: 'committed',
        transaction: readText(reader),
        revision: reader.varint(),
        effective: readBoolean(reader),
        participants: readList(reader, (from) => from.varint()),
        parts: new Map(
          readList(reader, (from): [number, TxnResponse] => [
            from.varint(),
            TxnResponse.decode(from.lengthPrefixed()),
          ]),
        ),
        error: reader.remaining === 0 ? null : resultOf(reader.rest()),
      };
    }
  }
}

const noDigest = new Uint8Array(0);

/** What was too large to be written down is known to have been executed, and no more. */
export function resultOf(bytes: Uint8Array): ApplyResult {
  return decodeReply(bytes.slice()).result ?? { kind: 'error', error: sessionErrors.replyDropped };
}

function writeNullable(target: ByteWriter, value: number | null): void {
  target.varint(value === null ? 0 : value + 1);
}

function readNullable(reader: ByteReader): number | null {
  const value = reader.varint();
  return value === 0 ? null : value - 1;
}
