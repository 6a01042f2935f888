import { writeUint32 } from '../encoding/byte-writer.ts';

const revisionBytes = 8;
const eventBytes = revisionBytes + 4;
/** The first byte of a revision is 0: it is a safe integer. */
const otherLogs = 1;
const logPrefixBytes = 5;

/**
 * The place of one version of a key in the history table: by key, then by revision. Zero bytes of the key are
 * escaped and 00 01 ends it, so that the order of places is the order of keys, and no key's versions mix with those
 * of a longer one.
 */
export function historyKey(key: Uint8Array, revision: number): Uint8Array {
  let zeros = 0;
  for (let i = 0; i < key.length; i += 1) if (key[i] === 0) zeros += 1;
  const result = new Uint8Array(key.length + zeros + 2 + revisionBytes);
  let at = 0;
  if (zeros === 0) {
    result.set(key);
    at = key.length;
  } else {
    for (let i = 0; i < key.length; i += 1) {
      result[at++] = key[i] as number;
      if (key[i] === 0) result[at++] = 0xff;
    }
  }
  result[at + 1] = 1;
  writeRevision(result, at + 2, revision);
  return result;
}

/** Where the versions of keys from `key` on begin: before every revision of it. */
export function historyStart(key: Uint8Array): Uint8Array {
  return historyKey(key, 0);
}

/** The user key of a place in the history table. */
export function keyOfHistory(place: Uint8Array): Uint8Array {
  const end = place.length - revisionBytes - 2;
  const firstZero = place.indexOf(0);
  if (firstZero === end) return place.subarray(0, end);
  const key = new Uint8Array(end);
  let length = 0;
  for (let i = 0; i < end; i += 1) {
    key[length++] = place[i] as number;
    if (place[i] === 0) i += 1;
  }
  return key.subarray(0, length);
}

/**
 * The place of an event: revision, then sub-revision. A revision's events may span chunks. Log 0 is the one that there
 * was before there were shards. All others' places begin with a byte that no revision begins with, and the log.
 */
export function eventKey(log: number, revision: number, sub: number): Uint8Array {
  const prefix = log === 0 ? 0 : logPrefixBytes;
  const key = new Uint8Array(prefix + eventBytes);
  if (log > 0) {
    key[0] = otherLogs;
    writeUint32(key, 1, log);
  }
  writeRevision(key, prefix, revision);
  writeUint32(key, prefix + revisionBytes, sub);
  return key;
}

/** Where the places of a log end. They begin with `eventKey(log, 0, 0)`. */
export function eventsEnd(log: number): Uint8Array {
  return log === 0 ? Uint8Array.of(otherLogs) : eventKey(log + 1, 0, 0);
}

export function logOfEvent(key: Uint8Array): number {
  return key.length === eventBytes ? 0 : readUint32(key, 1);
}

export function revisionOfEvent(key: Uint8Array): number {
  return readRevision(key, key.length - eventBytes);
}

export function subOfEvent(key: Uint8Array): number {
  return readUint32(key, key.length - 4);
}

function readRevision(bytes: Uint8Array, at: number): number {
  return readUint32(bytes, at) * 0x1_0000_0000 + readUint32(bytes, at + 4);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) * 0x100_0000 +
    (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  );
}

function writeRevision(target: Uint8Array, at: number, revision: number): void {
  writeUint32(target, at, Math.floor(revision / 0x1_0000_0000));
  writeUint32(target, at + 4, revision % 0x1_0000_0000);
}
