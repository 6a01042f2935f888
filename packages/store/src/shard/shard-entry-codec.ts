import { assert, FlotillaError, isFlotillaError, messageOf, unreachable } from '@flotilla/platform';
import { DeleteRangeRequest, PutRequest, TxnRequest } from '@flotilla/wire';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import {
  absorbsCode,
  readCode,
  readFact,
  readLease,
  readList,
  readOptional,
  readOrigin,
  readParticipant,
  readRangeChange,
  readText,
  readUser,
  writeFact,
  writeLease,
  writeList,
  writeOptional,
  writeOrigin,
  writeParticipant,
  writeRangeChange,
  writeText,
  writeUser,
} from './entry-fields.ts';
import type { PrepareEntry, RequestEntry, ShardEntry } from './shard-entry.ts';
import type { WriteRequest } from './write-request.ts';

/** Replicas apply equal entries equally or not at all, so an entry of a newer version stops a member. */
const entryVersion = 1;

/** By code. Logs have them: a code is never used for another kind. */
const kinds: readonly (ShardEntry['kind'] | null)[] = [
  null,
  'request',
  'prepare',
  'barrier',
  'ordered',
  'frontier',
  'members',
];

const writes: readonly WriteRequest['kind'][] = ['put', 'delete-range', 'txn'];

/** A request with the bytes that it came in. */
export type RawRequest = Omit<RequestEntry, 'kind' | 'write'> & {
  readonly write: WriteRequest['kind'];
  /** The protobuf message of that request. */
  readonly request: Uint8Array;
};

/**
 * What a shard's log carries for a request. The bytes of the request go in as they are: nothing of it is encoded again.
 *
 * @example
 * const request = PutRequest.encode(put);
 * await group.propose(encodeRequest({ origin, user: null, range: 1, absent: [], write: 'put', request }), options);
 */
export function encodeRequest({ origin, user, range, absent, write, request }: RawRequest): Uint8Array {
  // The log keeps the payload, so it gets memory of its own.
  const writer = begin('request', request.length + requestHeadBytes);
  writeOrigin(writer, origin);
  writeOptional(writer, user, writeUser);
  writer.varint(range);
  writeList(writer, absent, writeLease);
  writer.byte(writes.indexOf(write));
  writer.bytes(request);
  return writer.take();
}

export function encodeShardEntry(entry: ShardEntry): Uint8Array {
  switch (entry.kind) {
    case 'request':
      return encodeRequest({ ...entry, write: entry.write.kind, request: encodeWrite(entry.write) });
    case 'prepare':
      return encodePrepare(entry);
    case 'barrier': {
      const writer = begin(entry.kind, entryBytes);
      writeRangeChange(writer, entry.change);
      writer.varint(entry.range);
      return writer.take();
    }
    case 'ordered': {
      const writer = begin(entry.kind, entryBytes);
      writeFact(writer, entry.fact);
      return writer.take();
    }
    case 'frontier': {
      const writer = begin(entry.kind, entryBytes);
      writer.varint(entry.after);
      writer.varint(entry.revision);
      writer.varint(entry.asked);
      return writer.take();
    }
    case 'members': {
      const writer = begin(entry.kind, entryBytes);
      writer.varint(entry.membership);
      return writer.take();
    }
    default:
      return unreachable(entry);
  }
}

/**
 * Throws `FLOTILLA_PROPOSAL_VERSION` and `FLOTILLA_PROPOSAL_KIND` for what a newer version proposed, before anything of
 * it is looked at, and `FLOTILLA_ENTRY_INVALID` for what none did.
 */
export function decodeShardEntry(payload: Uint8Array): ShardEntry {
  const kind = kindOf(payload);
  const reader = new ByteReader(payload, headBytes);
  try {
    const entry = readEntry(reader, kind);
    assert(reader.remaining === 0, 'an entry ends where its bytes end');
    return entry;
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', `a ${kind} entry of a shard: ${messageOf(error)}`);
  }
}

/** Whether the entry may have to wait for a neighbour, see `ShardMachine.needs`. Reads three bytes. */
export function mayNeedNeighbour(payload: Uint8Array): boolean {
  return payload[0] === entryVersion && kinds[payload[1] ?? 0] === 'ordered' && payload[2] === absorbsCode;
}

const headBytes = 2;
const requestHeadBytes = 96;
const entryBytes = 128;

function begin(kind: ShardEntry['kind'], bytes: number): ByteWriter {
  const writer = new ByteWriter(bytes);
  writer.byte(entryVersion);
  writer.byte(kinds.indexOf(kind));
  return writer;
}

function kindOf(payload: Uint8Array): ShardEntry['kind'] {
  const [version = 0, code = 0] = payload;
  if (version > entryVersion) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_VERSION',
      `an entry of a shard has version ${version}; this program applies ${entryVersion}`,
    );
  }
  if (version === 0 || payload.length < headBytes) {
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', 'an entry of a shard has no version or no kind');
  }
  const kind = kinds[code] ?? null;
  if (kind === null) {
    throw new FlotillaError('FLOTILLA_PROPOSAL_KIND', `an entry of a shard has the unknown kind ${code}`);
  }
  return kind;
}

function readEntry(reader: ByteReader, kind: ShardEntry['kind']): ShardEntry {
  switch (kind) {
    case 'request':
      return readRequest(reader);
    case 'prepare':
      return readPrepare(reader);
    case 'barrier':
      return { kind, change: readRangeChange(reader), range: reader.varint() };
    case 'ordered':
      return { kind, fact: readFact(reader) };
    case 'frontier':
      return { kind, after: reader.varint(), revision: reader.varint(), asked: reader.varint() };
    case 'members':
      return { kind, membership: reader.varint() };
    default:
      return unreachable(kind);
  }
}

function readRequest(reader: ByteReader): RequestEntry {
  const origin = readOrigin(reader);
  const user = readOptional(reader, readUser);
  const range = reader.varint();
  const absent = readList(reader, readLease);
  const write = decodeWrite(readCode(reader, writes), reader.rest());
  return { kind: 'request', origin, user, range, write, absent };
}

function encodePrepare(entry: PrepareEntry): Uint8Array {
  const { transaction, origin, user, participants, fragment, revokes, absent } = entry;
  const request = fragment === null ? null : TxnRequest.encode(fragment);
  const writer = begin('prepare', (request?.length ?? 0) + entryBytes);
  writeText(writer, transaction);
  writeOrigin(writer, origin);
  writeOptional(writer, user, writeUser);
  writeList(writer, participants, writeParticipant);
  writeOptional(writer, revokes, writeLease);
  writeList(writer, absent, writeLease);
  writeOptional(writer, request, (target, bytes) => target.bytes(bytes));
  return writer.take();
}

function readPrepare(reader: ByteReader): PrepareEntry {
  return {
    kind: 'prepare',
    transaction: readText(reader),
    origin: readOrigin(reader),
    user: readOptional(reader, readUser),
    participants: readList(reader, readParticipant),
    revokes: readOptional(reader, readLease),
    absent: readList(reader, readLease),
    fragment: readOptional(reader, (rest) => TxnRequest.decode(rest.rest())),
  };
}

function encodeWrite(write: WriteRequest): Uint8Array {
  switch (write.kind) {
    case 'put':
      return PutRequest.encode(write.request);
    case 'delete-range':
      return DeleteRangeRequest.encode(write.request);
    case 'txn':
      return TxnRequest.encode(write.request);
    default:
      return unreachable(write);
  }
}

function decodeWrite(kind: WriteRequest['kind'], request: Uint8Array): WriteRequest {
  switch (kind) {
    case 'put':
      return { kind, request: PutRequest.decode(request) };
    case 'delete-range':
      return { kind, request: DeleteRangeRequest.decode(request) };
    case 'txn':
      return { kind, request: TxnRequest.decode(request) };
    default:
      return unreachable(kind);
  }
}
