import { FlotillaError } from '@flotilla/platform';
import { decodeMembershipChange, encodeMembershipChange } from '../core/membership-codec.ts';
import type { Entry, MembershipChange, NodeId } from '../core/types.ts';
import { viewOf } from './bytes.ts';

/**
 * Who proposed a command: 16 bytes before the user's payload in the log (of a change of membership: before the user's
 * context), taken off before the state machine sees it.
 * The member that proposed it finds its waiting caller by it when the entry is applied, and no earlier life of it does,
 * because incarnations differ.
 *
 * ```text
 *  node u32 │ incarnation u48 │ sequence u48 │ payload …
 * ```
 */
export const originBytes = 16;

/** Incarnations and sequences are below this. */
export const originBound: number = 2 ** 48;

/** Puts origins before payloads. */
export class OriginWriter {
  readonly #nodeId: NodeId;
  readonly #incarnation: number;

  constructor(nodeId: NodeId, incarnation: number) {
    this.#nodeId = nodeId;
    this.#incarnation = incarnation;
  }

  /** `payload` with its origin before it. A copy, so that the caller may use its array again. */
  write(sequence: number, payload: Uint8Array): Uint8Array {
    const bytes = takeBytes(originBytes + payload.length);
    writeU32(bytes, 0, this.#nodeId);
    writeU48(bytes, 4, this.#incarnation);
    writeU48(bytes, 10, sequence);
    bytes.set(payload, originBytes);
    return bytes;
  }
}

const slabBytes = 64 * 1024;

/**
 * What small copies are cut from: an array with a buffer of its own for each costs the garbage collector more than
 * everything else that happens to it. One for the whole process, because ten thousand groups with one each would take
 * most of a gigabyte.
 */
const slab = { bytes: new Uint8Array(0), used: 0 };

function takeBytes(length: number): Uint8Array {
  // A large payload would pin its neighbours, or be pinned by them.
  if (length > slabBytes / 16) return new Uint8Array(length);
  if (slab.used + length > slab.bytes.length) {
    slab.bytes = new Uint8Array(slabBytes);
    slab.used = 0;
  }
  const start = slab.used;
  slab.used += length;
  // Twice as fast as `subarray`, which looks for the species of its array first.
  return new Uint8Array(slab.bytes.buffer, start, length);
}

export function originNode(payload: Uint8Array): number {
  return readU32(payload, 0);
}

export function originIncarnation(payload: Uint8Array): number {
  return readU16(payload, 4) * 0x1_0000_0000 + readU32(payload, 6);
}

export function originSequence(payload: Uint8Array): number {
  return readU16(payload, 10) * 0x1_0000_0000 + readU32(payload, 12);
}

/** Of a change's context: the origin, or null. The change by which a leader leaves a joint configuration has none. */
export function originOf(context: Uint8Array): Uint8Array | null {
  return context.length < originBytes ? null : context.subarray(0, originBytes);
}

/** The entry as the state machine sees it: without the origin. No-ops have none. */
export function withoutOrigin(entry: Entry): Entry {
  if (entry.kind === 'membership') {
    const change = decodeMembershipChange(entry.payload);
    if (originOf(change.context) === null) return entry;
    const payload = encodeMembershipChange(changeWithoutOrigin(change));
    return { term: entry.term, index: entry.index, kind: entry.kind, payload };
  }
  if (entry.kind !== 'command') return entry;
  if (entry.payload.length < originBytes) {
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', `entry ${entry.index} has no origin`);
  }
  return {
    term: entry.term,
    index: entry.index,
    kind: entry.kind,
    payload: viewOf(entry.payload, originBytes),
  };
}

/** The change as its proposer gave it to the host. */
export function changeWithoutOrigin(change: MembershipChange): MembershipChange {
  return originOf(change.context) === null
    ? change
    : { ...change, context: change.context.subarray(originBytes) };
}

function readU16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  );
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function writeU48(bytes: Uint8Array, at: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  writeU32(bytes, at + 2, value);
}
