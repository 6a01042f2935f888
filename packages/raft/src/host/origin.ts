import { FlotillaError } from '@flotilla/platform';
import type { Entry, NodeId } from '../core/types.ts';

/**
 * Who proposed a command: 16 bytes before the user's payload in the log, taken off before the state machine sees it.
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

/** `payload` with its origin before it. A copy, so that the caller may use its array again. */
export function withOrigin(
  nodeId: NodeId,
  incarnation: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(originBytes + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nodeId);
  view.setUint16(4, Math.floor(incarnation / 0x1_0000_0000));
  view.setUint32(6, incarnation >>> 0);
  view.setUint16(10, Math.floor(sequence / 0x1_0000_0000));
  view.setUint32(12, sequence >>> 0);
  bytes.set(payload, originBytes);
  return bytes;
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

/** The entry as the state machine sees it: without the origin. Entries of other kinds have none. */
export function withoutOrigin(entry: Entry): Entry {
  if (entry.kind !== 'command') return entry;
  if (entry.payload.length < originBytes) {
    throw new FlotillaError('FLOTILLA_ENTRY_INVALID', `entry ${entry.index} has no origin`);
  }
  return {
    term: entry.term,
    index: entry.index,
    kind: entry.kind,
    payload: entry.payload.subarray(originBytes),
  };
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
