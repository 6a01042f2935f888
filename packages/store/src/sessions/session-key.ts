import { createHash } from 'node:crypto';
import { textToBytes } from '../encoding/text.ts';
import { ByteWriter } from '../encoding/byte-writer.ts';

/** The first byte of each key in the namespace of sessions: what the record is of. Stored; never used again. */
const Part = { SESSION: 0, REPLY: 1, FORGOTTEN: 2, FORGOTTEN_ORDER: 3, FORGOTTEN_BOUNDS: 4 } as const;

export const sessionPrefix: Uint8Array = Uint8Array.of(Part.SESSION);
export const forgottenBoundsKey: Uint8Array = Uint8Array.of(Part.FORGOTTEN_BOUNDS);

export function sessionKey(id: string): Uint8Array {
  return begin(Part.SESSION, (writer) => writer.bytes(textToBytes(id)));
}

/** Before the keys of all replies of the session that was opened by the entry at `opened`. */
export function repliesPrefix(opened: number): Uint8Array {
  return begin(Part.REPLY, (writer) => writer.uint64(opened));
}

export function replyKey(opened: number, request: number): Uint8Array {
  return begin(Part.REPLY, (writer) => {
    writer.uint64(opened);
    writer.uint64(request);
  });
}

export function forgottenKey(mark: Uint8Array): Uint8Array {
  return begin(Part.FORGOTTEN, (writer) => writer.bytes(mark));
}

export function forgottenOrderKey(place: number): Uint8Array {
  return begin(Part.FORGOTTEN_ORDER, (writer) => writer.uint64(place));
}

/** Of a name that is forgotten. Two names with one mark cost a client a new name, and nothing else. */
export function markOf(id: string): Uint8Array {
  return sha256(textToBytes(id)).subarray(0, markBytes);
}

function sha256(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest());
}

/**
 * By which a retry is told from another request of the same number. `what`: the kind of proposal, or the path of a
 * method.
 */
export function requestDigest(what: string, request: Uint8Array): Uint8Array {
  const name = textToBytes(`${what}\0`);
  const bytes = new Uint8Array(name.length + request.length);
  bytes.set(name);
  bytes.set(request, name.length);
  return sha256(bytes).subarray(0, digestBytes);
}

const markBytes = 8;
const digestBytes = 16;

function begin(part: number, write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(96);
  writer.byte(part);
  write(writer);
  return writer.take();
}
