import type { Platform } from '@flotilla/platform';
import { ByteWriter } from './encoding/byte-writer.ts';
import type { ReadPoint } from './mvcc/range.ts';
import { writePastVersion, writeVersion } from './mvcc/records.ts';
import { isReadable } from './snapshot-stream.ts';

/** Equal on all members that have applied the same entries, however far compaction has come on each. */
export interface StateHash {
  readonly revision: number;
  readonly compactRevision: number;
  /** CRC-32 over every version that can be read. */
  readonly hash: number;
}

/** Hashes everything that a client could read: latest versions, past ones, the two revisions, leases and the like. */
export function hashState(platform: Platform, point: ReadPoint): StateHash {
  const { layers, revision, compactRevision } = point;
  const writer = new ByteWriter();
  writer.varint(revision);
  writer.varint(compactRevision + 1);
  let hash = platform.checksum(writer.take());
  const latest = layers.scanLatest({ from: null, to: null, reverse: false });
  for (; latest.key !== null; latest.advance()) {
    writer.lengthPrefixed(latest.key);
    writeVersion(writer, latest.value);
    hash = platform.checksum(writer.take(), hash);
  }
  const history = layers.scanHistory({ from: null, to: null, reverse: false });
  for (; history.key !== null; history.advance()) {
    const past = history.value;
    if (!isReadable(past.kv.modRevision, past.end, compactRevision)) continue;
    writer.lengthPrefixed(history.key);
    writePastVersion(writer, past);
    hash = platform.checksum(writer.take(), hash);
  }
  const system = layers.scanSystem({ from: null, to: null, reverse: false });
  for (; system.key !== null; system.advance()) {
    writer.lengthPrefixed(system.key);
    writer.lengthPrefixed(system.value);
    hash = platform.checksum(writer.take(), hash);
  }
  return { revision, compactRevision, hash };
}
