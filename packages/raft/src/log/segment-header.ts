import { FlotillaError, type Platform } from '@flotilla/platform';
import { damaged } from './errors.ts';
import { formatVersion, segmentHeaderBytes, segmentMagic, sequenceOf } from './format.ts';

/** Whose log this is. */
export interface LogIdentity {
  readonly clusterId: bigint;
  readonly nodeId: number;
}

export interface SegmentHeader {
  readonly sequence: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
  /** Seeds the checksum of every record in the segment. */
  readonly checksum: number;
}

const checksumAt = 12;
const checkedFrom = 16;

export function encodeSegmentHeader(
  platform: Platform,
  identity: LogIdentity,
  sequence: number,
  sizeBytes: number,
): { readonly bytes: Uint8Array; readonly header: SegmentHeader } {
  const bytes = new Uint8Array(segmentHeaderBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(segmentMagic);
  view.setUint32(8, formatVersion, true);
  view.setBigUint64(16, identity.clusterId, true);
  view.setBigUint64(24, BigInt(identity.nodeId), true);
  view.setBigUint64(32, BigInt(sequence), true);
  view.setUint32(40, sizeBytes, true);
  view.setUint32(44, platform.random.u32(), true);
  const checksum = platform.checksum(bytes.subarray(checkedFrom), formatVersion);
  view.setUint32(checksumAt, checksum, true);
  return { bytes, header: { sequence, sizeBytes, checksum } };
}

/**
 * Reads a header and refuses what this program must not touch.
 *
 * The version comes first, because a newer one may have changed everything behind it; then the checksum, so that a
 * damaged identity is called damage and not somebody else's log.
 */
export function decodeSegmentHeader(
  platform: Platform,
  identity: LogIdentity,
  path: string,
  bytes: Uint8Array,
): SegmentHeader {
  if (bytes.length < segmentHeaderBytes)
    throw damaged(path, bytes.length, 'the file ends within the segment header');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < segmentMagic.length; i += 1) {
    if (bytes[i] !== segmentMagic[i]) throw damaged(path, i, 'this is not the header of a log segment');
  }
  const version = view.getUint32(8, true);
  const checksum = platform.checksum(bytes.subarray(checkedFrom, segmentHeaderBytes), formatVersion);
  const intact = checksum === view.getUint32(checksumAt, true);
  if (version !== formatVersion) {
    // The version seeds the checksum: when ours fits, it is the version field that has changed.
    if (intact) throw damaged(path, 8, 'the format version in the segment header is damaged');
    throw new FlotillaError(
      'FLOTILLA_LOG_VERSION',
      `${path} at offset 8 has log format ${version}; this program reads and writes format ${formatVersion} only`,
    );
  }
  if (!intact) throw damaged(path, checksumAt, 'the segment header fails its checksum');
  const clusterId = view.getBigUint64(16, true);
  const nodeId = Number(view.getBigUint64(24, true));
  if (clusterId !== identity.clusterId || nodeId !== identity.nodeId) {
    throw new FlotillaError(
      'FLOTILLA_LOG_FOREIGN',
      `${path} is the log of member ${nodeId} of cluster ${clusterId.toString(16)}, ` +
        `not of member ${identity.nodeId} of cluster ${identity.clusterId.toString(16)}`,
    );
  }
  return { sequence: Number(view.getBigUint64(32, true)), sizeBytes: view.getUint32(40, true), checksum };
}

/** Whose log lies in a directory, without taking it for oneself; null: there is none. Rejects as the log itself does. */
export async function readLogIdentity(platform: Platform, directory: string): Promise<LogIdentity | null> {
  const names = await platform.disk.list(directory);
  const name = names.find((each) => sequenceOf(each) !== null);
  if (name === undefined) return null;
  const path = `${directory}/${name}`;
  const file = await platform.disk.open(path, 'read');
  try {
    const bytes = await file.read(0, segmentHeaderBytes);
    if (bytes.length < segmentHeaderBytes)
      throw damaged(path, bytes.length, 'the file ends within its header');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const identity = { clusterId: view.getBigUint64(16, true), nodeId: Number(view.getBigUint64(24, true)) };
    decodeSegmentHeader(platform, identity, path, bytes);
    return identity;
  } finally {
    await file.close();
  }
}
