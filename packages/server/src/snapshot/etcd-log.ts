import type { DiskFile, Platform } from '@flotilla/platform';
import { limits } from '../limits.ts';

/** Where etcd's own write-ahead log stands. */
export interface EtcdLogFacts {
  /** Of the last entry that was written; 0: there is none. */
  readonly lastEntry: number;
  /** Of the last snapshot that the log says was taken. */
  readonly lastSnapshot: number;
  /** Whom its entries have added. */
  readonly members: readonly EtcdLogMember[];
}

export interface EtcdLogMember {
  readonly memberId: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
}

/**
 * Reads in the files of a directory of etcd's (`member/wal`) how far they go. A file is a row of frames: the length of
 * a record in 56 bits, in the highest byte how many bytes fill the frame up to a multiple of eight, the record, and
 * zeros behind the last one (etcd's `wal` package). Nothing is verified: whoever goes by it takes no entry from it.
 */
export async function readEtcdLog(platform: Platform, directory: string): Promise<EtcdLogFacts> {
  let [lastEntry, lastSnapshot] = [0, 0];
  const members: EtcdLogMember[] = [];
  const names = (await platform.disk.list(directory)).filter((name) => name.endsWith('.wal'));
  for (const name of names) {
    const file = await platform.disk.open(`${directory}/${name}`, 'read');
    try {
      for await (const { type, data } of records(file)) {
        // A later entry of an index takes the place of the former, and of all behind it.
        if (type === recordTypes.entry) {
          lastEntry = integerField(data, entryIndexField);
          members.push(...addedBy(data));
        }
        if (type === recordTypes.snapshot) lastSnapshot = integerField(data, snapshotIndexField);
      }
    } finally {
      await file.close();
    }
  }
  return { lastEntry, lastSnapshot, members };
}

const recordTypes = { entry: 2, snapshot: 5 } as const;
const typeField = 1;
const dataField = 3;
const entryTypeField = 1;
const entryIndexField = 3;
const entryDataField = 4;
const changeContextField = 4;
const configurationChange = 1;
const snapshotIndexField = 1;
/** What is needed of a record stands at its begin; URLs of a member are longer nowhere. */
const headBytes = 16 * 1024;

/** The context of a change of configuration says who it is, as JSON; an update has one, too. */
function addedBy(entry: Uint8Array): EtcdLogMember[] {
  if (integerField(entry, entryTypeField) !== configurationChange) return [];
  const context = new TextDecoder().decode(bytesField(bytesField(entry, entryDataField), changeContextField));
  // The number is beyond what JSON.parse keeps.
  const memberId = /^\{"id":([0-9]+),/.exec(context)?.[1];
  if (memberId === undefined) return [];
  const { name, peerURLs } = JSON.parse(context) as { name: string; peerURLs: readonly string[] };
  return [{ memberId: BigInt(memberId), name, peerUrls: peerURLs }];
}

async function* records(
  file: DiskFile,
): AsyncGenerator<{ readonly type: number; readonly data: Uint8Array }> {
  let windowStart = 0;
  let window: Uint8Array = new Uint8Array(0);
  for (let at = 0; ;) {
    if (at < windowStart || at + 8 + headBytes > windowStart + window.length) {
      windowStart = at;
      window = await file.read(at, limits.snapshotReadBytes);
    }
    const frame = window.subarray(at - windowStart);
    if (frame.length < 8) return;
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    const length = view.getUint32(0, true) + (view.getUint32(4, true) & 0xff_ffff) * 2 ** 32;
    if (length === 0) return;
    const top = frame[7] as number;
    const record = frame.subarray(8, 8 + Math.min(length, headBytes));
    yield { type: integerField(record, typeField), data: bytesField(record, dataField) };
    at += 8 + length + (top >= 0x80 ? top & 7 : 0);
  }
}

/** 0 where it is missing, as in protobuf. */
function integerField(message: Uint8Array, wanted: number): number {
  for (const { field, value } of fields(message)) if (field === wanted) return value;
  return 0;
}

/** As much of it as there is: the message may be cut off. */
function bytesField(message: Uint8Array, wanted: number): Uint8Array {
  for (const { field, value, at } of fields(message)) {
    if (field === wanted) return message.subarray(at, at + value);
  }
  return new Uint8Array(0);
}

/** Integers, and lengths of bytes with where those begin. */
function* fields(
  message: Uint8Array,
): Generator<{ readonly field: number; readonly value: number; readonly at: number }> {
  let at = 0;
  const integer = (): number => {
    let value = 0;
    for (let factor = 1; at < message.length; factor *= 128) {
      const byte = message[at] as number;
      at += 1;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (at < message.length) {
    const tag = integer();
    const value = integer();
    yield { field: tag >> 3, value, at };
    if ((tag & 7) === lengthDelimited) at += value;
  }
}

const lengthDelimited = 2;
