import { etcdErrors, KeyValue } from '@flotilla/wire';
import { writeUint32 } from '../encoding/byte-writer.ts';
import { countAt, countLatest } from '../mvcc/counting.ts';
import { keyRange } from '../mvcc/key-range.ts';
import type { ReadPoint } from '../mvcc/range.ts';
import { crc32c } from './crc32c.ts';
import { type KeptRecord, keptRecords } from './kept-records.ts';

/** etcd's `HashKV`: equal for equal content, on whatever member and in whatever program. */
export interface KeyValueHash {
  readonly hash: number;
  /** Up to which revision; that of the request, or the newest. */
  readonly hashRevision: number;
  /** −1: nothing was ever compacted. */
  readonly compactRevision: number;
  /** The newest revision when it was asked for. */
  readonly revision: number;
}

/** The revision up to which a request of `revision` is hashed. Throws what etcd answers to others. 0 and below: the newest. */
export function hashRevisionOf(
  point: Pick<ReadPoint, 'revision' | 'compactRevision'>,
  revision: number,
): number {
  if (revision <= 0) return point.revision;
  if (revision < point.compactRevision) throw etcdErrors.compacted;
  if (revision > point.revision) throw etcdErrors.futureRevision;
  return revision;
}

/**
 * Hashes in steps: yields where others may have their turn, and returns the hash. The rules are etcd's
 * (`hashByRev`): of records up to the compaction revision only those count that a compaction at the hashed revision
 * would keep; when that would keep nothing, all do. A deletion at the compaction revision never counts, since old
 * versions of etcd do not keep it.
 */
export function* hashKeyValues(point: ReadPoint, hashRevision: number): Generator<void, KeyValueHash> {
  const { compactRevision, revision } = point;
  const hasKeys = liveKeys(point, hashRevision) > 0;
  const hasher = new KeyValueHasher({ hashRevision, compactRevision, hasKeys });
  for (const record of keptRecords(point)) {
    if (record !== null) {
      if (record.revision > hashRevision) break;
      if (hasher.counts(record)) hasher.add(record, KeyValue.encode(record.kv));
    }
    yield;
  }
  return { hash: hasher.value, hashRevision, compactRevision, revision };
}

/** What is hashed. */
export interface Hashed {
  readonly hashRevision: number;
  readonly compactRevision: number;
  /** Whether there is a key at the hashed revision. */
  readonly hasKeys: boolean;
}

/** Takes records in their order. */
export class KeyValueHasher {
  readonly #hashed: Hashed;
  #hash: number = crc32c(bucketName);

  constructor(hashed: Hashed) {
    this.#hashed = hashed;
  }

  get value(): number {
    return this.#hash;
  }

  counts({ revision, deleted, end }: Pick<KeptRecord, 'revision' | 'deleted' | 'end'>): boolean {
    const { hashRevision, compactRevision, hasKeys } = this.#hashed;
    if (revision > compactRevision) return true;
    return !deleted && (end > hashRevision || !hasKeys);
  }

  add({ revision, sub, deleted }: Pick<KeptRecord, 'revision' | 'sub' | 'deleted'>, kv: Uint8Array): void {
    this.#hash = crc32c(kv, crc32c(revisionKey(revision, sub, deleted), this.#hash));
  }
}

const bucketName = new TextEncoder().encode('key');
const everything = keyRange(new Uint8Array(1), new Uint8Array(1));

function liveKeys({ layers, revision }: ReadPoint, at: number): number {
  return at === revision ? countLatest(layers, everything) : countAt(layers, everything, at, revision);
}

/** etcd's key of a record: revision, `_`, sub-revision, and `t` for a deletion. */
export function revisionKey(revision: number, sub: number, deleted: boolean): Uint8Array {
  const key = new Uint8Array(deleted ? 18 : 17);
  writeUint64(key, 0, revision);
  key[8] = underscore;
  writeUint64(key, 9, sub);
  if (deleted) key[17] = tombstoneMark;
  return key;
}

export const underscore = 0x5f;
export const tombstoneMark = 0x74;

function writeUint64(target: Uint8Array, at: number, value: number): void {
  writeUint32(target, at, Math.floor(value / 0x1_0000_0000));
  writeUint32(target, at + 4, value % 0x1_0000_0000);
}
