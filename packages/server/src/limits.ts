/** Every bound of the server, in one place. Times in milliseconds, sizes in bytes. */
export const limits = {
  /** `flotilla dev` plans at most this many members: more than nine voters only slow a cluster down. */
  developmentMembers: 9,
  /** How long a member may take to end before `dev` kills it. */
  memberStopMs: 5_000,
  /** Members and `dev` get the same Ctrl-C; whether one died by itself is judged this much later. */
  lastMemberEndedGraceMs: 500,
  /** How often `dev` looks whether the shell that npm started it in is still there. */
  parentCheckMs: 500,
  /** `cluster.json` of a member; a cluster of hundreds fits. */
  clusterFileBytes: 1024 * 1024,
  /** How often retention by revisions is looked at; etcd's interval. */
  revisionCompactionMs: 300_000,
  /** Of a snapshot for a client: what one message carries (etcd's number), and what is written at a time before. */
  snapshotBlobBytes: 32 * 1024,
  snapshotWriteBytes: 256 * 1024,
  snapshotReadBytes: 1024 * 1024,
  /** Clients that may take a snapshot at once: each of them takes the disk space of the state. */
  outgoingSnapshots: 4,
  /**
   * How long a client may leave a piece of such an answer, or of a streamed range, unread (1.5 MiB of it: 25 KB/s). As
   * long as it lasts no page that was freed since it began is used again: the file grows by what is written meanwhile.
   */
  unreadAnswerMs: 60_000,
  /** How often a raised space alarm is looked at, and below which share of the quota, for how long, it is lowered. */
  spaceCheckMs: 1_000,
  spaceClearShare: 0.95,
  spaceClearAfterMs: 3_000,
  /** Beyond this share of its quota a member of a sharded cluster looks as often as at a disk that is low. */
  spaceLowShare: 0.9,
  /**
   * Of the disk, pages of the state that can be used again included: with less left beside what deletions may need,
   * nothing is added. Compaction and the log go on in it. So much must be the disk's own: two segments of the log.
   */
  diskReserveBytes: 128 * 1024 * 1024,
  diskLogBytes: 64 * 1024 * 1024,
  /** With less than so many times the reserve to go the disk is looked at this often: a second of writes could fill it. */
  diskLowFactor: 8,
  diskLowCheckMs: 100,
  /** Beyond it etcd's documentation advises against a larger quota. */
  quotaAdvisedBytes: 8 * 1024 * 1024 * 1024,
  /** A member reads its whole state once, so long after its start; what comes right after a start goes first. */
  firstVerifyMs: 60_000,
  /** How long a member may take to tell the sums of its state. */
  compareCallMs: 5_000,
  /** Of all shards of a member together, as far as two of each allow. */
  comparedSums: 20_000,
  /** What etcd counts beside key and value of a put against the quota. */
  putOverheadBytes: 256,
  /** A question of one member to another, and its answer. */
  peerCallBytes: 4 * 1024 * 1024,
  /** Calls of other members that are answered at a time; more are hung up on, and their callers ask again. */
  peerCallsAnswered: 64,
  /** From the first byte of a call to the last one of its answer. */
  peerCallAnswerMs: 30_000,
  /**
   * Of a channel between two members: questions without an answer, in number and in bytes; the longest answer; and what
   * one frame carries, so that nothing waits long behind something large.
   */
  channelQuestions: 4_096,
  channelWaitingBytes: 64 * 1024 * 1024,
  channelAnswerBytes: 64 * 1024 * 1024,
  channelChunkBytes: 128 * 1024,
  /** Channels that other members have dialed. */
  channels: 1_024,
  channelConnectMs: 1_000,
  /** Pause before dialing again: doubles from the first to the second, with jitter. */
  channelRedialMinMs: 20,
  channelRedialMaxMs: 500,
  /** A question timed out, and nothing else has come for so long either: the connection is given up. */
  channelSilenceMs: 1_000,
  /** How long each member is asked by one that wants to join; etcd's time-out. */
  joinAttemptMs: 10_000,
  /** Between two looks at who has come, while a new cluster is discovered. */
  discoveryPauseMs: 200,
  /** A discovery service that cannot be reached is tried again after so long, then twice as long; etcd's numbers. */
  discoveryRetryMs: 2_000,
  discoveryMaxRetryMs: 256_000,
  /** How long a removed member goes on answering, so that who asked for it hears of it; etcd's number. */
  removedGraceMs: 1_000,
  /** A change of membership that was refused for the moment is tried again after so long. */
  reconfigurationPauseMs: 20,
  /** How long one waits for members that have told nothing of themselves yet. */
  unpublishedPatienceMs: 1_000,
  /** etcd's `HealthInterval`: a peer counts as well when it has been connected for so long. */
  healthIntervalMs: 5_000,
  /** Connections to the peer port that have not said yet what they are, and for how long they may not. */
  undecidedPeerConnections: 256,
  peerPrefaceMs: 5_000,
  /** What etcd counts a lease as against the quota. */
  leaseCostBytes: 64,
  /** How often leases are looked at, and how many may be revoked at a time: 1,000 a second, as in etcd. */
  leaseLookMs: 250,
  leaseExpiryBatch: 250,
  /** After a failure; etcd's interval. */
  leaseExpiryRetryMs: 3_000,
  /** Their keys, in one entry, unless one lease alone has more: it goes in one revision. */
  leaseExpiryKeys: 10_000,
  /** What a pause of the process, whatever its length, counts for in the time of leases: more than a look and its delay. */
  leaseClockStepMs: 500,
  /** How often what is left of a lease is written down at least (shorter ones: at half of it), and of how many at a time. */
  leaseCheckpointSeconds: 300,
  leaseCheckpointBatch: 250,
  /** How long the leader may take to say what is left of a lease, before this member says what it knows itself. */
  leaseQuestionMs: 500,
  /** Renewals that wait for the log, in all and in one proposal; and on one stream: a client's next ones wait unread. */
  leaseRenewals: 100_000,
  leaseRenewalBatch: 1_000,
  leaseStreamRenewals: 1_000,
  /** Simple tokens and checked signatures that a member remembers, some 200 bytes each. */
  simpleTokens: 65_536,
  verifiedTokens: 16_384,
  /** bcrypt uses threads that write files too, of which there are four by default. */
  passwordsAtOnce: 2,
  passwordsWaiting: 1_000,
  /** How often a request is made again because users or roles changed while it was on its way. */
  authAttempts: 8,
  /** How long calls under way may take to end when the member stops. */
  drainMs: 500,
  /** etcd's request time-out is this and two election time-outs. */
  requestBaseMs: 5_000,
  /** How long one attempt to find the cluster in working order may take, before a member says that it is ready. */
  readinessAttemptMs: 1_000,
  readinessPauseMs: 20,
  publicationMs: 5_000,
  /** What an envelope and the host may add to a request in the log. */
  proposalOverheadBytes: 64 * 1024,
  /** Of a file with certificates, a key or a revocation list; the largest of public authorities' lists fit. */
  credentialFileBytes: 16 * 1024 * 1024,
  /** etcd's slack between the largest request and the largest gRPC message. */
  grpcOverheadBytes: 512 * 1024,
  /** Unsent bytes of one answer of the JSON gateway beyond which it is cut: its client does not read. */
  gatewayUnsentBytesMax: 64 * 1024 * 1024,
  /** Versions of clients that metrics tell apart. */
  clientVersions: 32,
  /** What an empty state is said to take. */
  pageBytes: 4096,
  /** Slow requests that are logged in a second. */
  slowRequestLines: 100,
  /** A linearizable read that waits longer is counted as slow. */
  slowReadMs: 1_000,
  /** A longer time-out is cut to this, 24 days, as that of a gRPC call is. */
  gatewayTimeoutMsMax: 2_000_000_000,
  /** A stream that asked for a leader is cut after so many election time-outs without one; etcd's number. */
  leaderLossElections: 3,
  /** Processes of one `flotilla simulate`, and seeds that each is given at a time. */
  simulationJobs: 256,
  simulationSeedsPerAssignment: 20,
  simulationReportMs: 10_000,
  /** How long a failure is made smaller. */
  simulationShrinkMs: 120_000,
  /** A session of a client that is idle for so long ends. How often it is looked at, and how many end at once. */
  sessionIdleMs: 3_600_000,
  sessionCheckMs: 60_000,
  sessionsPerExpiry: 500,
  /** Of a sharded cluster: what one answer of a replica carries of a range, and how many parts are read again. */
  shardPageBytes: 1024 * 1024,
  shardReadAttempts: 8,
  /** How long one replica is asked; how long this node's own is waited for before another one is asked; and in between. */
  shardReadCallMs: 1_000,
  shardReadOwnMs: 100,
  shardReadPauseMs: 20,
  /** Shards that are asked at a time for one request. */
  shardReadsAtOnce: 32,
  /** Records of one piece of a shard, for hashes and snapshots, and such streams that other nodes read here at once. */
  shardRecordsPiece: 1_000,
  /** Of all shards' pieces together, and how long it may take to find a replica that one is read at. */
  shardRecordsBytes: 32 * 1024 * 1024,
  shardRecordsOpenMs: 7_000,
  shardRecordStreams: 256,
  /** How long a hash or a snapshot of all shards may take. */
  shardContentsMs: 600_000,
  /** Of writes to shards that are under way at a member: more are refused. */
  shardRequestBytes: 128 * 1024 * 1024,
  /** A write that met a change of ranges looks again so often, unless the map has changed before. */
  shardRoutePauseMs: 5,
  /** How long an alarm or a compaction waits for all shards to have heard of it: one that is down holds nobody up. */
  everywhereMs: 1_000,
  /** A request goes on for so long after its client's time is over. */
  clientGoneMs: 200,
  /** After an attempt of which nothing is known. */
  shardAskAgainMs: 20,
  /** Prepares are sent again so often until the transaction is decided, and parts asked for. */
  shardPrepareAgainMs: 250,
  shardPartsAgainMs: 25,
  /** How long a transaction over several shards waits at most for others of its node that want the same keys. */
  shardTurnMs: 1_000,
  /** The pause after a conflict: at least so long at most, or as long as the attempt was; doubled so often; and at most. */
  shardBackoffMs: 4,
  shardBackoffDoublings: 5,
  shardBackoffMostMs: 1_000,
  /** Replicas that a shard may be given, and beside them some that come while others go. */
  shardReplicas: 7,
  shardReplicasOnTheWay: 3,
  /** Requests a second that a node is taken to be made for: what balance of load compares loads with. */
  nodeLoad: 20_000,
  /** How often the control of shards looks at the cluster: while something is under way, and while nothing is. */
  controlBusyMs: 200,
  controlIdleMs: 2_000,
  /** At least so many times as long as it took to decide, which grows with the number of shards; and when idle at most so long. */
  controlBusyFactor: 4,
  controlIdleFactor: 100,
  controlIdleMaxMs: 30_000,
  /** What a leader was asked for and does not show by then is decided anew. */
  controlStepMs: 10_000,
  /** What was asked of a shard for somebody who waits is asked again when nothing has come of it. */
  controlAgainMs: 3_000,
  /** Between two looks at whether a shard has another leader. */
  controlPauseMs: 25,
  /** How long a node may take to report, and to do what it is asked for. */
  controlReportMs: 1_000,
  /** The same for one that is not heard of, or did not answer the last time: whoever looks goes on without it. */
  controlSilentMs: 100,
  controlStepCallMs: 5_000,
  /** Steps of one look. */
  controlSteps: 256,
  /** Bytes a second that are moved for balance alone, and how much of that may be saved up. */
  balanceBytesPerSecond: 32 * 1024 * 1024,
  balanceBytesMax: 1024 * 1024 * 1024,
  /** While a node has something to do for its shards it looks at them so often; what happens meanwhile is done at once. */
  shardTickMs: 50,
  /** A fact, a vote, a revocation and a range change that nothing has come of is said again after so long. */
  factRetryMs: 500,
  voteAgainMs: 200,
  /** The same where whoever leads the order has been told before: what was said to it is lost with its term only. */
  voteRepeatMs: 1_000,
  revocationAgainMs: 500,
  rangeAgainMs: 200,
  /** The pause doubles each time. */
  rangeAgainMostMs: 3_000,
  /** Of one report to whoever leads the order: how long it may take, and votes in it. */
  reportMs: 1_000,
  votesPerReport: 1_024,
  /** Between two cuts, beside the time that one takes to be logged: as long as that, but at least and at most this. */
  cutPauseMs: 1,
  cutPauseMostMs: 5,
  /** Votes are waited for by a clock that goes on by no more than this between two looks. */
  orderLookMs: 200,
  orderProposalMs: 5_000,
  /** A transaction over several shards that is not decided by then is aborted. */
  transactionTimeoutMs: 2_000,
  /** What the way to another node and back is given of the time that a request has. */
  submitHopMs: 20,
  /** How long one node is waited for before the next one that has a replica is asked as well. */
  submitCallMs: 2_500,
  /** Until a lease that was registered for a shard is looked for there again. */
  leaseRegistrationPauseMs: 2,
  /** Replicas of a shard that nothing was said of. */
  shardReplicasByDefault: 3,
  /** The next step of a move is looked at so often; and replicas that may be none of this node's any more. */
  membershipPauseMs: 100,
  replicaRepairMs: 1_000,
  /** After a split of shard 0, those that begin elsewhere are looked at once as early as this. */
  spareReleaseMs: 200,
  /** For a neighbour that is to be taken over and is not complete here: then a snapshot of what came of it is asked for. */
  heldPatienceMs: 3_000,
  /** The same where shard 0 is to take it over: all shards that this node leads hear nothing of the order meanwhile. */
  orderHeldPatienceMs: 1_000,
  /** A replica that is nobody's goes when most nodes of its heirs have all of it; after this long when one has. */
  heirsAwaitedMs: 10_000,
  /** One change of a shard's members, and opening a replica elsewhere. */
  membershipChangeMs: 5_000,
  /** A new shard's first leader is asked for again after these pauses, until there is one. */
  firstElectionMs: 5,
  firstElections: 10,
  /** A node that has not answered for so long is silent. */
  nodeSilentMs: 4_000,
  /** A node must have been up for so long before it is given replicas unasked. */
  nodeSteadyMs: 5_000,
  /** One that is silent is looked for often for so long: restarts are shorter. */
  nodeAwaitedMs: 60_000,
  /** How long a leader that is to go waits for an heir to take over, and leaves that one alone when it has not. */
  heirPatienceMs: 1_000,
  heirAvoidedMs: 5_000,
  /** A node that is to get a replica and has gone silent is waited for so long, where others could do without it. */
  newcomerAwaitedMs: 1_000,
  /** Rates of requests are smoothed over this long. */
  loadWindowMs: 5_000,
  /** Of each window so many written keys are kept for every shard; fewer than the least say nothing. */
  writeSamples: 128,
  writeSamplesLeast: 32,
  /** Reports tell at most so often anew whether one key has all of a shard's load, and how many keys there are if more than so many. */
  countAgainMs: 1_000,
  countedOftenKeys: 1_000,
  /** A split that leaves more than this share of the writes on one side is none. */
  hotKeyShare: 0.9,
  /** Of a key that is found to split at: how long it may be, and how far from the middle, as a share of the keys. */
  splitKeyBytes: 1_024,
  splitKeySlack: 0.02,
  /** Shards that `begin` makes at most in one call. */
  shardsAtBegin: 1_024,
  /** Events of a shard: for so long somebody is looked for who has them, the own replica given time first. */
  watchSourceMs: 1_000,
  watchOwnMs: 100,
  watchCallMs: 500,
  watchSourcePauseMs: 10,
  /** How long a new watch waits to hear how far the order has come. */
  watchFrontierMs: 5_000,
} as const;
