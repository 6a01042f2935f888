import { bytesToText, textToBytes } from '../encoding/text.ts';
import { crc32c } from '../hash/crc32c.ts';
import type { BoltReader } from './bolt-reader.ts';
import { parseRecordKey } from './etcd-restore.ts';

/** What `snapshot status` says of a file; etcd's own program says the same. */
export interface EtcdFileStatus {
  /** CRC-32C over the names of all buckets and what is in them. */
  readonly hash: number;
  readonly revision: number;
  /** Entries of all buckets. */
  readonly totalKeys: number;
  readonly totalBytes: number;
  /** Empty: a version of etcd before 3.6 wrote it. */
  readonly version: string;
}

/** Reads all of a file. Rejects with `FLOTILLA_SNAPSHOT_DAMAGED`. */
export async function etcdFileStatus(file: BoltReader): Promise<EtcdFileStatus> {
  let [hash, revision, totalKeys, version] = [0, 0, 0, ''];
  for (const bucket of file.buckets) {
    hash = crc32c(textToBytes(bucket), hash);
    for await (const { key, value } of file.entries(bucket)) {
      hash = crc32c(value, crc32c(key, hash));
      totalKeys += 1;
      if (bucket === 'key') ({ revision } = parseRecordKey(key));
      else if (bucket === 'meta' && bytesToText(key) === 'storageVersion') version = bytesToText(value);
    }
  }
  return { hash, revision, totalKeys, totalBytes: file.databaseBytes, version };
}
