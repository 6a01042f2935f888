/** Counters of one host's life: plain numbers that only grow, so that counting costs an addition. */
export interface HostMetrics {
  turns: number;
  messagesSent: number;
  messagesReceived: number;
  /** Messages that did not fit a peer's queue, or had no connection. */
  messagesDropped: number;
  framesSent: number;
  framesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  connectionsOpened: number;
  connectionsLost: number;
  handshakesRefused: number;
  /** Appends handed to the log, one a turn at most, and what was in them. */
  logAppends: number;
  logRecords: number;
  entriesAppended: number;
  applyBatches: number;
  entriesApplied: number;
  proposals: number;
  /** Proposals that were lost for sure and proposed again. */
  proposalsRepeated: number;
  readBarriers: number;
  /** ReadIndex rounds, each for all callers of a turn. */
  readRounds: number;
  snapshotsSent: number;
  snapshotsReceived: number;
  snapshotBytesSent: number;
  snapshotBytesReceived: number;
  /** Chunks, those that were sent again after a cut included. */
  snapshotChunksSent: number;
  snapshotChunksReceived: number;
  /** Transfers out of and into this member that went on after a cut from where they had been. */
  snapshotResumes: number;
  /** Snapshots that had partly come in, and began again from zero. */
  snapshotRestarts: number;
  /** Snapshots whose bytes were not what their checksums said. */
  snapshotsDamaged: number;
  /** Times that this member could not read its own state for a snapshot. */
  snapshotsUnreadable: number;
  /** Chunks that waited for the throttle, and for how long in all. */
  snapshotThrottleWaits: number;
  snapshotThrottleMs: number;
  /** Reads that a lease answered, without a round trip. */
  leaseReads: number;
  compactions: number;
  ticks: number;
  /** Times that an append to the log was outstanding for longer than `diskStallMs`. */
  diskStalls: number;
  /** Times that this process found itself to have been stopped for longer than the election time-out. */
  pauses: number;
}

export function createMetrics(): HostMetrics {
  return {
    turns: 0,
    messagesSent: 0,
    messagesReceived: 0,
    messagesDropped: 0,
    framesSent: 0,
    framesReceived: 0,
    bytesSent: 0,
    bytesReceived: 0,
    connectionsOpened: 0,
    connectionsLost: 0,
    handshakesRefused: 0,
    logAppends: 0,
    logRecords: 0,
    entriesAppended: 0,
    applyBatches: 0,
    entriesApplied: 0,
    proposals: 0,
    proposalsRepeated: 0,
    readBarriers: 0,
    readRounds: 0,
    snapshotsSent: 0,
    snapshotsReceived: 0,
    snapshotBytesSent: 0,
    snapshotBytesReceived: 0,
    snapshotChunksSent: 0,
    snapshotChunksReceived: 0,
    snapshotResumes: 0,
    snapshotRestarts: 0,
    snapshotsDamaged: 0,
    snapshotsUnreadable: 0,
    snapshotThrottleWaits: 0,
    snapshotThrottleMs: 0,
    leaseReads: 0,
    compactions: 0,
    ticks: 0,
    diskStalls: 0,
    pauses: 0,
  };
}
