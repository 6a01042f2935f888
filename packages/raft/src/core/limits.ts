/**
 * Every bound of the core. The host may choose other values in `CoreConfig`; these are its defaults. Sizes are chosen
 * for members on one network with round trips up to some milliseconds.
 */
export const coreLimits = {
  /** One append, or one batch of forwarded proposals. At least one entry always goes, however large. */
  maxMessageBytes: 1 << 20,
  /** Appends on the way to one follower. */
  maxInflightMessages: 256,
  /** Payload bytes on the way to one follower: a second of a 64 MiB/s link. */
  maxInflightBytes: 64 << 20,
  /** Payloads that a leader has appended and not yet applied; over it proposals are refused. */
  maxUncommittedBytes: 128 << 20,
  /** One batch for the state machine: some milliseconds of work, so that a turn stays short. */
  maxApplyBytes: 1 << 20,
  /** One proposal. */
  maxPayloadBytes: 16 << 20,
  /** Durable entries kept in memory for followers and for applying. */
  maxCachedBytes: 32 << 20,
  /** Reads that wait for a round, or for the first commit of a term. */
  maxPendingReads: 16_384,
  /** Entries that a learner may lack when it is promoted: what a healthy member takes in within an election time-out. */
  maxPromotionLagEntries: 5_000,
  /** Members that one change adds, promotes, demotes or removes. */
  maxMembershipSteps: 256,
  /** What a change carries for the state machines. */
  maxMembershipContextBytes: 64 << 10,
} as const;

/** Ids of former members that a configuration remembers, and refuses. */
export const maxRemovedIds = 4_096;

/** What an entry costs beside its payload, in memory and on the wire: index, term, kind, lengths. */
export const entryOverheadBytes = 32;
