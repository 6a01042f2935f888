import { assert, FlotillaError, isFlotillaError, messageOf, unreachable } from '@flotilla/platform';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';
import {
  readCode,
  readLease,
  readList,
  readNumber,
  readOptional,
  readOrigin,
  readProposedDecision,
  readBytes,
  readRangeChange,
  readText,
  readUser,
  writeBytes,
  writeLease,
  writeList,
  writeNumber,
  writeOptional,
  writeOrigin,
  writeProposedDecision,
  writeRangeChange,
  writeText,
  writeUser,
} from '../shard/entry-fields.ts';
import { decodeShardEntry, encodeShardEntry } from '../shard/shard-entry-codec.ts';
import { wishKinds } from './cluster-wishes.ts';
import type { Count, NodeEntry, NodeLabel, NodeState, OrderedGeneration, OrderEntry } from './order-entry.ts';

/** Every node applies equal entries equally or not at all, so an entry of a newer version stops a member. */
const entryVersion = 1;

/** By code. Logs have them: a code is never used for another kind. */
const kinds: readonly (OrderEntry['kind'] | null)[] = [
  null,
  'begin',
  'own',
  'cut',
  'range',
  'members',
  'grant',
  'renew',
  'revoke',
  'expire',
  'checkpoint',
  'register',
  'open-session',
  'expire-sessions',
  'compact',
  'node',
  'assign',
  'wish',
  'presplit',
];

/** Logs have their places. */
export const nodeStates: readonly NodeState[] = ['joined', 'draining', 'left'];

/**
 * The request of an `order` proposal.
 *
 * @example
 * const request = encodeOrderEntry({ kind: 'renew', leases: [7n] });
 * await group.propose(encodeProposal({ kind: 'order', requestId: 8, request }), options);
 */
export function encodeOrderEntry(entry: OrderEntry): Uint8Array {
  if (entry.kind === 'own') {
    const own = encodeShardEntry(entry.entry);
    const writer = begin('own', own.length + headBytes);
    writer.bytes(own);
    return writer.take();
  }
  const writer = begin(entry.kind, entryBytes);
  write(writer, entry);
  return writer.take();
}

/**
 * Throws `FLOTILLA_PROPOSAL_VERSION` and `FLOTILLA_PROPOSAL_KIND` for what a newer version proposed, before anything of
 * it is looked at, and `FLOTILLA_ENTRY_INVALID` for what none did.
 */
export function decodeOrderEntry(payload: Uint8Array): OrderEntry {
  const kind = kindOf(payload);
  const reader = new ByteReader(payload, headBytes);
  try {
    const entry = read(reader, kind);
    assert(reader.remaining === 0, 'an entry ends where its bytes end');
    return entry;
  } catch (error) {
    if (!isFlotillaError(error)) throw error;
    if (error.code === 'FLOTILLA_PROPOSAL_VERSION' || error.code === 'FLOTILLA_PROPOSAL_KIND') throw error;
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', `a ${kind} entry of the order: ${messageOf(error)}`);
  }
}

/** Whether the entry may have to wait for a neighbour, see `OrderMachine.needs`. Reads two bytes. */
export function mayChangeRange(payload: Uint8Array): boolean {
  return payload[0] === entryVersion && kinds[payload[1] ?? 0] === 'range';
}

const headBytes = 2;
const entryBytes = 128;

function begin(kind: OrderEntry['kind'], bytes: number): ByteWriter {
  // The log keeps the payload, so it gets memory of its own.
  const writer = new ByteWriter(bytes);
  writer.byte(entryVersion);
  writer.byte(kinds.indexOf(kind));
  return writer;
}

function kindOf(payload: Uint8Array): OrderEntry['kind'] {
  const [version = 0, code = 0] = payload;
  if (version > entryVersion) {
    throw new FlotillaError(
      'FLOTILLA_PROPOSAL_VERSION',
      `an entry of the order has version ${version}; this program applies ${entryVersion}`,
    );
  }
  if (version === 0 || payload.length < headBytes) {
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', 'an entry of the order has no version or no kind');
  }
  const kind = kinds[code] ?? null;
  if (kind === null) {
    throw new FlotillaError('FLOTILLA_PROPOSAL_KIND', `an entry of the order has the unknown kind ${code}`);
  }
  return kind;
}

function write(writer: ByteWriter, entry: Exclude<OrderEntry, { kind: 'own' }>): void {
  switch (entry.kind) {
    case 'begin':
      return writeList(writer, entry.nodes, writeNode);
    case 'cut':
      writeList(writer, entry.counts, writeCount);
      writeList(writer, entry.decisions, writeProposedDecision);
      return writeList(writer, entry.logged, writeLogged);
    case 'range':
      writeRangeChange(writer, entry.change);
      writer.varint(entry.range);
      return writeList(writer, entry.nodes, writeNumber);
    case 'members':
      writer.varint(entry.shard);
      writer.varint(entry.membership);
      return writeList(writer, entry.nodes, writeNumber);
    case 'grant':
      writeOrigin(writer, entry.origin);
      writeOptional(writer, entry.user, writeUser);
      writer.bigint64(entry.lease);
      return writer.bigint64(BigInt(entry.ttl));
    case 'renew':
      return writeList(writer, entry.leases, writeLease);
    case 'revoke':
      writeOrigin(writer, entry.origin);
      writeOptional(writer, entry.user, writeUser);
      return writer.bigint64(entry.lease);
    case 'expire':
      writer.varint(entry.term);
      return writeList(writer, entry.leases, writeGeneration);
    case 'checkpoint':
      return writeList(writer, entry.leases, (target, { remaining, ...lease }) => {
        writeGeneration(target, lease);
        target.varint(remaining);
      });
    case 'register':
      writer.bigint64(entry.lease);
      return writer.varint(entry.shard);
    case 'open-session':
      writeText(writer, entry.name);
      return writeText(writer, entry.owner);
    case 'expire-sessions':
      return writeList(writer, entry.sessions, writeNumber);
    case 'compact':
      writeOrigin(writer, entry.origin);
      writeOptional(writer, entry.user, writeUser);
      return writer.bigint64(BigInt(entry.revision));
    case 'node':
      writeNode(writer, entry);
      writer.byte(nodeStates.indexOf(entry.state));
      return writer.varint(entry.configuration);
    case 'assign':
      writer.varint(entry.shard);
      writeList(writer, entry.nodes, writeNumber);
      return writer.varint(entry.configuration);
    case 'wish':
      writer.byte(wishKinds.indexOf(entry.wish));
      // −1 stands for all shards.
      writer.varint(entry.id + 1);
      writeOptional(writer, entry.value, writeNumber);
      return writer.varint(entry.configuration);
    case 'presplit':
      writeList(writer, entry.keys, writeBytes);
      return writer.varint(entry.configuration);
    default:
      return unreachable(entry);
  }
}

function read(reader: ByteReader, kind: OrderEntry['kind']): OrderEntry {
  switch (kind) {
    case 'begin':
      return { kind, nodes: readList(reader, readNode) };
    case 'own':
      return { kind, entry: decodeShardEntry(reader.rest()) };
    case 'cut':
      return {
        kind,
        counts: readList(reader, readCount),
        decisions: readList(reader, readProposedDecision),
        logged: readList(reader, readLogged),
      };
    case 'range': {
      const change = readRangeChange(reader);
      return { kind, change, range: reader.varint(), nodes: readList(reader, readNumber) };
    }
    case 'members': {
      const shard = reader.varint();
      return { kind, shard, membership: reader.varint(), nodes: readList(reader, readNumber) };
    }
    case 'grant': {
      const asked = { origin: readOrigin(reader), user: readOptional(reader, readUser) };
      return { kind, ...asked, lease: reader.bigint64(), ttl: Number(reader.bigint64()) };
    }
    case 'renew':
      return { kind, leases: readList(reader, readLease) };
    case 'revoke': {
      const asked = { origin: readOrigin(reader), user: readOptional(reader, readUser) };
      return { kind, ...asked, lease: reader.bigint64() };
    }
    case 'expire':
      return { kind, term: reader.varint(), leases: readList(reader, readGeneration) };
    case 'checkpoint':
      return {
        kind,
        leases: readList(reader, (each) => ({ ...readGeneration(each), remaining: each.varint() })),
      };
    case 'register':
      return { kind, lease: reader.bigint64(), shard: reader.varint() };
    case 'open-session':
      return { kind, name: readText(reader), owner: readText(reader) };
    case 'expire-sessions':
      return { kind, sessions: readList(reader, readNumber) };
    case 'compact': {
      const asked = { origin: readOrigin(reader), user: readOptional(reader, readUser) };
      return { kind, ...asked, revision: Number(reader.bigint64()) };
    }
    case 'node': {
      const node = readNode(reader);
      return { kind, ...node, state: readCode(reader, nodeStates), configuration: reader.varint() };
    }
    case 'assign': {
      const shard = reader.varint();
      return { kind, shard, nodes: readList(reader, readNumber), configuration: reader.varint() };
    }
    case 'wish': {
      const what = { wish: readCode(reader, wishKinds), id: reader.varint() - 1 };
      return { kind, ...what, value: readOptional(reader, readNumber), configuration: reader.varint() };
    }
    case 'presplit':
      return { kind, keys: readList(reader, readBytes), configuration: reader.varint() };
    default:
      return unreachable(kind);
  }
}

function writeCount(writer: ByteWriter, { shard, upTo }: Count): void {
  writer.varint(shard);
  writer.varint(upTo);
}

function readCount(reader: ByteReader): Count {
  return { shard: reader.varint(), upTo: reader.varint() };
}

function writeLogged(writer: ByteWriter, { shard, index }: { shard: number; index: number }): void {
  writer.varint(shard);
  writer.varint(index);
}

function readLogged(reader: ByteReader): { shard: number; index: number } {
  return { shard: reader.varint(), index: reader.varint() };
}

function writeGeneration(writer: ByteWriter, { lease, generation }: OrderedGeneration): void {
  writer.bigint64(lease);
  writer.varint(generation);
}

function readGeneration(reader: ByteReader): OrderedGeneration {
  return { lease: reader.bigint64(), generation: reader.varint() };
}

function writeNode(writer: ByteWriter, { node, zone, labels }: NodeEntry): void {
  writer.varint(node);
  writeText(writer, zone);
  writeList(writer, labels, writeLabel);
}

function readNode(reader: ByteReader): NodeEntry {
  return { node: reader.varint(), zone: readText(reader), labels: readList(reader, readLabel) };
}

function writeLabel(writer: ByteWriter, { name, value }: NodeLabel): void {
  writeText(writer, name);
  writeText(writer, value);
}

function readLabel(reader: ByteReader): NodeLabel {
  return { name: readText(reader), value: readText(reader) };
}
