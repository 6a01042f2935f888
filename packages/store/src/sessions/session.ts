import { bytesToText, textToBytes } from '../encoding/text.ts';
import { ByteReader } from '../encoding/byte-reader.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';

/** What is known of one session beside its replies. On the heap and, at the same time, in the system table. */
export interface Session {
  readonly id: string;
  /** Index of the entry that opened it: by it its replies are found, and no two sessions have the same. */
  readonly opened: number;
  /** Name of its user; empty: it has none. */
  readonly owner: string;
  /** Index of the entry that used it last. */
  usedAt: number;
  /** No request of a number up to this one is executed (any more). */
  floor: number;
  /** What is kept of requests above the floor. */
  bytes: number;
}

export function encodeSession(session: Session): Uint8Array {
  const writer = new ByteWriter(96);
  writer.varint(session.opened);
  writer.lengthPrefixed(textToBytes(session.owner));
  writer.varint(session.usedAt);
  writer.varint(session.floor);
  writer.varint(session.bytes);
  return writer.take();
}

/** `id`: from the record's key. */
export function decodeSession(id: string, record: Uint8Array): Session {
  const reader = new ByteReader(record);
  return {
    id,
    opened: reader.varint(),
    owner: bytesToText(reader.lengthPrefixed()),
    usedAt: reader.varint(),
    floor: reader.varint(),
    bytes: reader.varint(),
  };
}

/** A session, as long as it was not used after `usedAt`. */
export interface SessionUse {
  readonly id: string;
  readonly usedAt: number;
}

/** The request of a `session-expire` proposal. */
export function encodeSessionExpiry(uses: readonly SessionUse[]): Uint8Array {
  const writer = new ByteWriter(64 * uses.length + 8);
  writer.varint(uses.length);
  for (const { id, usedAt } of uses) {
    writer.lengthPrefixed(textToBytes(id));
    writer.varint(usedAt);
  }
  return writer.take();
}

export function decodeSessionExpiry(request: Uint8Array): SessionUse[] {
  const reader = new ByteReader(request);
  return Array.from({ length: reader.varint() }, () => ({
    id: bytesToText(reader.lengthPrefixed()),
    usedAt: reader.varint(),
  }));
}
