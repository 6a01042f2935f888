/** Every bound of the replica in one place. Sizes in bytes unless the name says otherwise. */
export const replicaLimits = Object.freeze({
  /** Applied entries after which the state is written to a snapshot file, unless `snapshotEvery` says otherwise. */
  snapshotEveryEntries: 10_000,
  /** And payload bytes: the log goes back to the older of two snapshots, and must stay within its own bound. */
  snapshotEveryBytes: 64 * 1024 * 1024,
  /** A disk that was full is tried again after this many more entries. */
  snapshotRetryEntries: 1_000,
  /** One checksummed piece of a snapshot, in a file and on its way to a peer. */
  snapshotChunkBytes: 256 * 1024,
  /** A snapshot file is synced every so often, so that the last sync does not stall the log's for seconds. */
  snapshotSyncBytes: 8 * 1024 * 1024,
  /** With the latest one damaged, the one before it and the log still make the whole state. */
  snapshotsKept: 2,
  /** The header of a snapshot file, and what a replica keeps in a snapshot beside the state machine's bytes. */
  snapshotHeaderBytes: 1024 * 1024,
  identityFileBytes: 1024 * 1024,
  hostNameBytes: 255,
  /** Unless `proposeTimeoutMs`, or the call, says otherwise. */
  proposeTimeoutMs: 10_000,
  /** Unless the call says otherwise: a new voter has to catch up before it counts. */
  membershipTimeoutMs: 120_000,
  /** Between two attempts to promote a learner that is behind, or to publish where this member is. */
  retryMs: 100,
  /** A leader that is to leave tries for this long to hand over to one of the others. */
  transferTimeoutMs: 5_000,
  /** One attempt to publish where this member is. */
  publicationTimeoutMs: 5_000,
} as const);
