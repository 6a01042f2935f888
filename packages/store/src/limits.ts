/**
 * Every bound of this package. Sizes are bytes, times milliseconds.
 *
 * Those that decide what an entry does to the state (leases, removed members, sessions) are part of the log's meaning:
 * members of two builds with different numbers would go apart, so a new number needs a new level of proposals.
 */
export const limits = {
  /** A batch of entries that took longer to apply is counted as slow; etcd's bound of one request. */
  slowApplyMs: 100,
  /** A commit starts this long after the first write that is not in one… */
  commitIntervalMs: 50,
  /** The same where several shards share the storage: each commit has the state of all that have changed, beside their keys. */
  sharedCommitIntervalMs: 200,
  /** …or as soon as so many table writes or bytes wait. Handing them over happens in one turn: about 2 µs each. */
  commitOperations: 2_000,
  commitBytes: 4 * 1024 * 1024,
  /** While a commit is outstanding, so many make the next one: a turn hands over no more than that. */
  freezeOperations: 8_000,
  /** Commits that may wait, and what may wait in all. Beyond either the database is overloaded, and a server refuses writes. */
  frozenBuffers: 8,
  bufferedBytes: 128 * 1024 * 1024,
  /** What a buffered write takes on the heap beside its key and value, about. */
  bufferedRecordBytes: 256,

  /**
   * Addresses, not memory, that LMDB takes at the start: twice the largest quota that is advised. When a file outgrows
   * its map lmdb-js maps it anew, twice as large, and keeps the old map: each page would count as resident once more.
   */
  storageMapBytes: 16 * 1024 * 1024 * 1024,

  /** Views of the storage at a time. Where LMDB has no place for one more, not even the live state can be read. */
  storageViews: 2_048,
  /** Of them, those that reads of clients hold: more are refused. */
  pinnedReads: 1_024,

  /** Keys of one counted bucket, and buckets of one group: what a count reads at most at either end. */
  bucketKeys: 256,
  groupBuckets: 256,
  /** Bucket descriptors kept on the heap. */
  cachedBuckets: 8_192,
  /** Shards of a node that keep them, and an open chunk of events. */
  warmShards: 256,

  /** An event chunk is closed at this size. */
  eventChunkBytes: 16 * 1024,
  /** Slabs that chunks are written in: of the database, and of each shard that has been written to lately. */
  eventSlabBytes: 64 * 1024,
  shardEventSlabBytes: 4 * 1024,

  /** Keys that a sliced range visits in one turn. */
  rangeSliceKeys: 2_000,
  /** Of a streamed range; etcd's number. Later pieces are twice or half as long as the one before. */
  firstPieceKeys: 10,
  /** A count at an old revision walks the events since then while they are at most so many revisions… */
  countEventRevisions: 10_000,
  /** Events that compaction handles in one turn, and the pause between turns. */
  compactionSliceEvents: 500,
  /** Events whose work is sorted by key, and the bytes of the places that are gathered meanwhile. */
  compactionWindowEvents: 65_536,
  compactionWindowBytes: 16 * 1024 * 1024,
  compactionPauseMs: 1,
  /** Between slices of rows that are removed because their shard has left: so many times as long as one took, at least. */
  removalPauseFactor: 4,
  /** Of a shard it begins so much later: watchers are told of its events from here, or from elsewhere, a moment after they happen. */
  shardCompactionDelayMs: 250,

  /** The longest time that a lease can be granted for; etcd's. */
  leaseTtlSeconds: 9_000_000_000,

  snapshotChunkBytes: 256 * 1024,
  /** Kept records that are sorted by revision at a time, about 40 bytes and a key each. More take more passes. */
  sortedPlaces: 1_000_000,
  /** Into so many parts of the revisions they are counted before. */
  sortedSpread: 4_096,
  /** Records of a hash or a file between two turns of others. */
  keptRecordsSlice: 500,
  /** Answers of `HashKV` that are remembered; etcd's. */
  keptHashes: 10,
  /** The sum of the state is remembered at every index that is a multiple, and at so many of them. */
  sumMarkEntries: 64,
  sumMarks: 256,
  /** Between slices of reading the whole state for its sum: nobody waits for it. */
  sumPauseMs: 10,
  /** So many times as long as the slice took, at least; and of a shard that was split or moved, when there is enough else to do. */
  sumPauseFactor: 4,
  shardSumPauseFactor: 49,
  /** Long work that looks at the clock gives way after this time. */
  sliceMs: 3,
  /** Entries that an installing member writes in one commit. */
  installBatchBytes: 4 * 1024 * 1024,

  /** A watch response is cut, between revisions, at so many events or bytes. */
  watchBatchEvents: 1_000,
  watchBatchBytes: 1024 * 1024,
  /** Watchers that read history together, and events that they read in one turn. */
  watchSliceWatchers: 512,
  watchSliceEvents: 1_000,
  /** Between slices. */
  watchResyncMs: 1,
  /** Of shards: slices that are read at a time, and how far behind watchers may be that are read for with the synced ones. */
  watchSlices: 4,
  watchNearRevisions: 1_000,
  /** Before watchers of keys that nobody could be asked about try again. */
  watchRetryMs: 20,
  /** Before such keys are asked for again, for any watcher: from, and up to. */
  watchBackoffMs: 20,
  watchBackoffMaxMs: 1_000,
  /** Requests of one stream that wait for its next watch to be made, before no more are read. */
  watchWaitingRequests: 1_000,
  /** Spans that are told apart when the events for all synced watchers are read. */
  watchSpans: 256,
  /** A page that a whole revision would make this many times as large as was asked for is cut within it. */
  watchPageExcess: 4,
  /** Events that are looked at for one page, wanted or not. */
  watchScanEvents: 10_000,
  /** Shards that are asked at a time, and how often for one page when shards are split or merged meanwhile. */
  watchShardReads: 16,
  watchPlans: 5,
  /** What one stream may hold that its client has not taken. Beyond it its watchers read from history. */
  watchStreamBufferBytes: 4 * 1024 * 1024,
  watchStreamBufferResponses: 1_024,
  /** A response in fragments is cut here: etcd's default request limit and its allowance for gRPC. */
  watchFragmentBytes: 2 * 1024 * 1024,
  /** etcd's interval between progress notices. */
  watchProgressIntervalMs: 600_000,

  /** Ids of removed members that are still told from ids that never were; Raft remembers as many. */
  removedMembers: 4_096,

  /** Of a session's name and number, as a client chooses them. */
  sessionNameCharacters: 64,
  /** Sessions that are known at once; one more, and the one that was used least recently is forgotten. */
  sessions: 16_384,
  /** What their replies may take in all: beyond it sessions are forgotten, those used least recently first. */
  sessionsBytes: 64 * 1024 * 1024,
  /** The newest request of a session and the oldest that may still come lie at most so far apart. */
  sessionWindowRequests: 1_024,
  /** Of one session. Beyond it the bodies of its oldest replies go until half of it is left. */
  sessionBytes: 4 * 1024 * 1024,
  /** A larger reply is not kept: that its request was executed is. */
  sessionReplyBytes: 1024 * 1024,
  /** What a reply takes beside its bytes, about. */
  sessionReplyOverheadBytes: 96,
  /** Names of forgotten sessions that are still refused. */
  forgottenSessions: 65_536,

  /** Of a shard: its writes that no cut has numbered yet. Beyond it requests are refused. */
  overlayBytes: 16 * 1024 * 1024,
  /** Of a shard: requests that wait for a lock, a number or each other, and transactions that wait for their decision. */
  waitingEntries: 4_096,
  preparedTransactions: 1_024,
  /** Of both together: their keys and values. */
  heldBytes: 16 * 1024 * 1024,
  /** Sessions that the order group knows, and numbers of expired ones that shards refuse beside them. */
  orderSessions: 16_384,
  expiredSessions: 16_384,
  /** Of transactions that one cut decides upon: more than one of them wait for the next cut beyond it. Less than any bound of the log. */
  cutDecisionBytes: 48 * 1024,
  /** Configurations of a sharded cluster that can be asked for, back from the present one. */
  orderConfigurations: 1_024,
} as const;
