/** Every bound of this package, in one place. Times are defaults where an option says otherwise. */
export const limits = {
  /** Of a request, retries included. */
  requestTimeoutMs: 30_000,
  /** Of one try. etcd gives up after 5 s and two election time-outs of 1 s: its answer is worth waiting for. */
  attemptTimeoutMs: 8_000,
  /** Between two tries; doubled each time. */
  backoffMsMin: 20,
  backoffMsMax: 2_000,
  /** For how long an endpoint that failed is passed over while others serve; doubled with each failure. */
  penaltyMsMin: 250,
  penaltyMsMax: 8_000,
  /** How often a connection that carries streams is asked whether it lives, and how long it may take to answer. */
  livenessIntervalMs: 10_000,
  livenessTimeoutMs: 5_000,
  /** How long an endpoint may take to say whether it takes sessions, or to open one. */
  sessionAnswerMs: 2_000,
  /** Until an endpoint that did not take sessions is asked again. */
  sessionProbeMs: 10_000,
  /** A session whose oldest request without an answer is this many behind is left alone, and another one begun. */
  sessionRequests: 256,
  /** A session that was not used for so long is not used again: the server may have forgotten it. */
  sessionIdleMs: 60_000,
  /** Times that a request begins anew because its token or session was refused. */
  renewals: 3,
  /** Tries of a read that fails for no known reason. */
  strangeTries: 3,

  /** Of one page of an iteration. */
  pageEntries: 1_000,
  /** Events that wait for the reader of a watch; beyond it the stream is not read on. */
  watchBufferedEvents: 1_024,
  /** Runs of a software transaction until it is given up. */
  stmTries: 100,
  stmBackoffMsMax: 250,

  leaseTtlSeconds: 30,
  /** Keep-alives of a lease a TTL. */
  keepAlivesPerTtl: 3,
  /** For the revocation of a lease whose owner goes away: its time to live ends it anyway. */
  revokeTimeoutMs: 5_000,
} as const;
