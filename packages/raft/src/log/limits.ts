import { assert } from '@flotilla/platform';

/** Every bound of the log. Sizes in bytes. */
export interface LogLimits {
  /** Of one segment file, unless a single record needs a larger one. */
  readonly segmentBytes: number;
  /**
   * Of all segments, give or take the two that may be made while entries are moved. Near it, entries that pin the
   * oldest segment are rewritten forward, as long as what is live fills no more than half of it; beyond that only
   * compaction helps.
   */
  readonly totalBytes: number;
  /** Of one write to the file. A single record may exceed it. */
  readonly batchBytes: number;
  /** Of one record. Nothing that Raft writes comes near it: a larger one is a bug. */
  readonly recordBytes: number;
  /** Read at a time at start, written at a time when a segment is filled with zeros. */
  readonly chunkBytes: number;
  /** Records of a group that are further apart are read one by one. */
  readonly readGapBytes: number;
  /** After this long without a batch the log notes durably that everything before is synced. */
  readonly idleMarkMs: number;
}

const MiB = 1024 * 1024;

/** The defaults of {@link LogLimits}. */
export const logLimits: LogLimits = {
  segmentBytes: 32 * MiB,
  totalBytes: 512 * MiB,
  batchBytes: 4 * MiB,
  recordBytes: 512 * MiB,
  chunkBytes: MiB,
  readGapBytes: 16 * 1024,
  idleMarkMs: 100,
};

/** The defaults with `overrides`, checked. */
export function resolveLogLimits(overrides: Partial<LogLimits> = {}): LogLimits {
  const limits = { ...logLimits, ...overrides };
  assert(limits.segmentBytes >= 4096 && limits.segmentBytes % 8 === 0, 'a segment must hold at least 4 KiB');
  assert(limits.segmentBytes <= 0x4000_0000, 'offsets in a segment are 32-bit numbers');
  assert(limits.recordBytes <= 0x4000_0000, 'offsets in a segment are 32-bit numbers');
  assert(limits.totalBytes >= 4 * limits.segmentBytes, 'the log must be allowed at least four segments');
  assert(limits.chunkBytes >= 512 && limits.chunkBytes % 8 === 0, 'a chunk must hold at least one sector');
  return limits;
}
