import { assert, unreachable } from '@flotilla/platform';
import type { ByteReader } from '../encoding/byte-reader.ts';
import type { ByteWriter } from '../encoding/byte-writer.ts';
import { bytesToText, textToBytes } from '../encoding/text.ts';
import type { RequestUser } from '../proposal.ts';
import type { KeySpan } from './key-span.ts';
import type { RequestOrigin } from './request-memory.ts';
import type { Decision, Fact, FactChange, Participant, RangeChange } from './shard-entry.ts';
import { type ChangeRun, type VoteError, voteErrorNames } from './vote.ts';

/**
 * What entries of shards and of the order are made of, in bytes. Logs have them: a code is never used for anything else.
 * What no version wrote fails an assertion; whoever reads whole entries says so in its own words.
 */

export function writeOrigin(writer: ByteWriter, { session, request, floor }: RequestOrigin): void {
  writer.varint(session);
  writer.varint(request);
  writer.varint(floor);
}

export function readOrigin(reader: ByteReader): RequestOrigin {
  return { session: reader.varint(), request: reader.varint(), floor: reader.varint() };
}

export function writeText(writer: ByteWriter, text: string): void {
  writer.lengthPrefixed(textToBytes(text));
}

export function readText(reader: ByteReader): string {
  return bytesToText(reader.lengthPrefixed());
}

export function writeBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.lengthPrefixed(bytes);
}

/** The bytes outlive the entry that they came with. */
export function readBytes(reader: ByteReader): Uint8Array {
  return reader.lengthPrefixed().slice();
}

export function writeBoolean(writer: ByteWriter, value: boolean): void {
  writer.byte(value ? 1 : 0);
}

export function readBoolean(reader: ByteReader): boolean {
  const byte = reader.byte();
  assert(byte <= 1, () => `${byte} is a truth value`);
  return byte === 1;
}

export function writeOptional<T>(
  writer: ByteWriter,
  value: T | null,
  write: (writer: ByteWriter, value: T) => void,
): void {
  writeBoolean(writer, value !== null);
  if (value !== null) write(writer, value);
}

export function readOptional<T>(reader: ByteReader, read: (reader: ByteReader) => T): T | null {
  return readBoolean(reader) ? read(reader) : null;
}

export function writeList<T>(
  writer: ByteWriter,
  list: readonly T[],
  write: (writer: ByteWriter, element: T) => void,
): void {
  writer.varint(list.length);
  for (const element of list) write(writer, element);
}

/** Every element takes a byte at least: a list is never longer than what is left to read. */
export function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): T[] {
  const length = reader.varint();
  assert(length <= reader.remaining, () => `a list of ${length} elements in ${reader.remaining} bytes`);
  const list: T[] = [];
  for (let left = length; left > 0; left -= 1) list.push(read(reader));
  return list;
}

export function writeNumber(writer: ByteWriter, value: number): void {
  writer.varint(value);
}

export function readNumber(reader: ByteReader): number {
  return reader.varint();
}

export function writeLease(writer: ByteWriter, lease: bigint): void {
  writer.bigint64(lease);
}

export function readLease(reader: ByteReader): bigint {
  return reader.bigint64();
}

export function writeUser(writer: ByteWriter, { name, authRevision }: RequestUser): void {
  writeText(writer, name);
  writer.varint(authRevision);
}

export function readUser(reader: ByteReader): RequestUser {
  return { name: readText(reader), authRevision: reader.varint() };
}

export function writeSpan(writer: ByteWriter, { from, to }: KeySpan): void {
  writeBytes(writer, from);
  writeOptional(writer, to, writeBytes);
}

export function readSpan(reader: ByteReader): KeySpan {
  return { from: readBytes(reader), to: readOptional(reader, readBytes) };
}

export function writeParticipant(writer: ByteWriter, { shard, range }: Participant): void {
  writer.varint(shard);
  writer.varint(range);
}

export function readParticipant(reader: ByteReader): Participant {
  return { shard: reader.varint(), range: reader.varint() };
}

const rangeChanges: readonly RangeChange['kind'][] = ['split', 'merge'];

export function writeRangeChange(writer: ByteWriter, change: RangeChange): void {
  writer.byte(rangeChanges.indexOf(change.kind));
  writer.varint(change.shard);
  if (change.kind === 'split') writeBytes(writer, change.at);
  else writer.varint(change.into);
}

export function readRangeChange(reader: ByteReader): RangeChange {
  const kind = readCode(reader, rangeChanges);
  const shard = reader.varint();
  return kind === 'split' ? { kind, shard, at: readBytes(reader) } : { kind, shard, into: reader.varint() };
}

/** A decision without its revision is what the leader of the order proposes. */
export function writeProposedDecision(writer: ByteWriter, decision: Omit<Decision, 'revision'>): void {
  const { transaction, origin, participants, revokes, verdict, choices, effective, changes, error } =
    decision;
  writeText(writer, transaction);
  writeOrigin(writer, origin);
  writeList(writer, participants, writeNumber);
  writeOptional(writer, revokes, writeLease);
  writeBoolean(writer, verdict === 'commit');
  writeList(writer, choices, writeBoolean);
  writeBoolean(writer, effective);
  writeList(writer, changes, writeChangeRun);
  writeOptional(writer, error, writeVoteError);
}

export function readProposedDecision(reader: ByteReader): Omit<Decision, 'revision'> {
  return {
    transaction: readText(reader),
    origin: readOrigin(reader),
    participants: readList(reader, readNumber),
    revokes: readOptional(reader, readLease),
    verdict: readBoolean(reader) ? 'commit' : 'abort',
    choices: readList(reader, readBoolean),
    effective: readBoolean(reader),
    changes: readList(reader, readChangeRun),
    error: readOptional(reader, readVoteError),
  };
}

export function writeDecision(writer: ByteWriter, decision: Decision): void {
  writeProposedDecision(writer, decision);
  writer.varint(decision.revision);
}

export function readDecision(reader: ByteReader): Decision {
  return { ...readProposedDecision(reader), revision: reader.varint() };
}

function writeChangeRun(writer: ByteWriter, { operation, participant, count }: ChangeRun): void {
  writer.varint(operation);
  writer.varint(participant);
  writer.varint(count);
}

function readChangeRun(reader: ByteReader): ChangeRun {
  return { operation: reader.varint(), participant: reader.varint(), count: reader.varint() };
}

function writeVoteError(writer: ByteWriter, { name, revision }: VoteError): void {
  writer.byte(voteErrorNames.indexOf(name));
  writer.varint(revision);
}

function readVoteError(reader: ByteReader): VoteError {
  return { name: readCode(reader, voteErrorNames), revision: reader.varint() };
}

const factChanges: readonly FactChange['kind'][] = [
  'registered',
  'sessions-expired',
  'auth',
  'compacted',
  'refused',
  'split',
  'absorbed',
  'absorbs',
];

/** The first byte after the kind of an `ordered` entry that takes over a neighbour. */
export const absorbsCode: number = 1 + factChanges.indexOf('absorbs');

/** What it changes comes first, so that an entry tells with one byte what it is about. */
export function writeFact(writer: ByteWriter, fact: Fact): void {
  const { index, previous, base, count, decisions, revision, change } = fact;
  writer.byte(change === null ? 0 : 1 + factChanges.indexOf(change.kind));
  writer.varint(index);
  writer.varint(previous);
  writer.varint(base);
  writer.varint(count);
  writer.varint(revision);
  writeList(writer, decisions, writeDecision);
  if (change !== null) writeFactChange(writer, change);
}

export function readFact(reader: ByteReader): Fact {
  const code = reader.byte();
  const kind = code === 0 ? null : factChanges[code - 1];
  assert(kind !== undefined, () => `${code} is a change that a fact makes`);
  return {
    index: reader.varint(),
    previous: reader.varint(),
    base: reader.varint(),
    count: reader.varint(),
    revision: reader.varint(),
    decisions: readList(reader, readDecision),
    change: kind === null ? null : readFactChange(reader, kind),
  };
}

function writeFactChange(writer: ByteWriter, change: FactChange): void {
  switch (change.kind) {
    case 'registered':
      return writer.bigint64(change.lease);
    case 'sessions-expired':
      writeList(writer, change.sessions, writeNumber);
      return writer.varint(change.lowest);
    case 'auth':
      return writer.lengthPrefixed(change.change);
    case 'compacted':
      return writer.varint(change.revision);
    case 'refused':
      return writer.varint(change.range);
    case 'split':
      writeSpan(writer, change.span);
      writer.varint(change.range);
      writer.varint(change.child.shard);
      writeSpan(writer, change.child.span);
      return writer.varint(change.child.range);
    case 'absorbed':
      return writer.varint(change.into);
    case 'absorbs':
      writeSpan(writer, change.span);
      writer.varint(change.range);
      writer.varint(change.drained);
      return writer.varint(change.upTo);
    default:
      return unreachable(change);
  }
}

function readFactChange(reader: ByteReader, kind: FactChange['kind']): FactChange {
  switch (kind) {
    case 'registered':
      return { kind, lease: reader.bigint64() };
    case 'sessions-expired':
      return { kind, sessions: readList(reader, readNumber), lowest: reader.varint() };
    case 'auth':
      return { kind, change: readBytes(reader) };
    case 'compacted':
      return { kind, revision: reader.varint() };
    case 'refused':
      return { kind, range: reader.varint() };
    case 'split': {
      const span = readSpan(reader);
      const range = reader.varint();
      const child = { shard: reader.varint(), span: readSpan(reader), range: reader.varint() };
      return { kind, span, range, child };
    }
    case 'absorbed':
      return { kind, into: reader.varint() };
    case 'absorbs': {
      const span = readSpan(reader);
      const range = reader.varint();
      return { kind, span, range, drained: reader.varint(), upTo: reader.varint() };
    }
    default:
      return unreachable(kind);
  }
}

/** Of a list whose order is stored. */
export function readCode<T>(reader: ByteReader, list: readonly T[]): T {
  const code = reader.byte();
  const element = list[code];
  assert(element !== undefined, () => `${code} is one of ${list.length} codes`);
  return element;
}
