/**
 * Every bound of the host in one place. Sizes in bytes unless the name says otherwise. A bound that is reached never
 * costs safety: it refuses, drops (and says so to the core) or slows down.
 */
export interface HostLimits {
  /** One event-loop turn spends at most this long on applying before it lets the loop go round. */
  readonly turnMs: number;
  /** Entries are applied in slices of at most this many payload bytes; the clock is read between slices. */
  readonly applySliceBytes: number;
  /** Entries of one slice: small entries cost time without costing bytes. */
  readonly applySliceEntries: number;
  /** Live bytes in the log beyond which its tail is given up where the disk has hardly any space, see `Host.keepLogShort`. */
  readonly shortLogBytes: number;
  /** One frame between peers, header included. A longer one is garbage and closes the connection. */
  readonly frameBytes: number;
  /** A batch is closed and a new frame begun beyond this size, so that one frame's checksum covers little. */
  readonly frameTargetBytes: number;
  /** What may wait for one peer's socket. Beyond it messages are dropped, and the core hears `unreachable`. */
  readonly sendQueueBytes: number;
  /** Accepted connections that have not said who they are yet. One more is closed at once. */
  readonly pendingHandshakes: number;
  /** From connect or accept to the end of the handshake. */
  readonly handshakeTimeoutMs: number;
  /** Pause before dialing again: doubles from the first to the second, with jitter. */
  readonly reconnectMinMs: number;
  readonly reconnectMaxMs: number;
  /** Pause before dialing again a peer that refused us: it will hardly change its mind soon. */
  readonly refusedRetryMs: number;
  /** Changes of membership that callers at this member wait for, per group. */
  readonly pendingMembershipChanges: number;
  /** Forwarded changes of membership whose answer is not sent yet, per group. */
  readonly forwardedMembershipChanges: number;
  /** Pause before dialing again a peer that does not know us yet: it applies the entry that adds us soon. */
  readonly unknownRetryMs: number;
  /** A member that should dial, and does not, is dialed after so long, and every so often: it may not know of us. */
  readonly knockMs: number;
  /** For so long a member that was removed is dialed on, to tell it. */
  readonly farewellMs: number;
  /** Proposals of one group that have no answer yet, in number and in payload bytes. */
  readonly pendingProposals: number;
  readonly pendingProposalBytes: number;
  /** How far apart proposals of one group may be, in the order of proposing, and both be found without hashing. */
  readonly proposalSlots: number;
  /** Waiting proposals handed to the core in one turn. */
  readonly proposalsPerTurn: number;
  /** Refused proposals of one peer that are remembered for the case that the refusal is lost with its connection. */
  readonly rememberedRefusals: number;
  /** Callers of `readBarrier` without an answer. */
  readonly pendingReads: number;
  /** ReadIndex rounds on the way at once; callers beyond share the next one. */
  readonly readRounds: number;
  /** How often deadlines of proposals and reads are looked at. */
  readonly sweepMs: number;
  /** One chunk of a snapshot on its way to a peer. */
  readonly snapshotChunkBytes: number;
  /** Chunks sent and not yet written by the receiver. */
  readonly snapshotWindowChunks: number;
  /** Snapshots on their way out of one member, over all groups and peers; those that wait for a peer's return count. */
  readonly snapshotSends: number;
  /** A receiver that waits this long for the next chunk gives up; so does a sender that waits for its window. */
  readonly snapshotStallMs: number;
  /**
   * For so long after a broken connection the sender keeps its pinned view of the state, and the receiver what it has
   * written, to go on from there.
   */
  readonly snapshotResumeMs: number;
  /** A leader whose snapshot did not arrive offers the next one to that member after this long. */
  readonly snapshotRetryMs: number;
  /** After so many damaged snapshots from one member another one is asked. */
  readonly snapshotDamages: number;
  /**
   * Pause after a snapshot of a newer version, which only an upgrade helps against: the sender makes the first, the receiver
   * doubles from the first to the second.
   */
  readonly snapshotVersionRetryMinMs: number;
  readonly snapshotVersionRetryMaxMs: number;
  /** After so many failures in a row to read its own state a leader hands its office over. */
  readonly snapshotReadFailures: number;
  /** Heartbeats of one connection that are not echoed yet. An echo of an older one says nothing. */
  readonly unansweredHeartbeats: number;
}

/** The defaults of {@link HostLimits}. */
export const hostLimits: HostLimits = Object.freeze({
  turnMs: 5,
  applySliceBytes: 64 * 1024,
  applySliceEntries: 256,
  shortLogBytes: 16 * 1024 * 1024,
  frameBytes: 64 * 1024 * 1024,
  frameTargetBytes: 1024 * 1024,
  sendQueueBytes: 64 * 1024 * 1024,
  pendingHandshakes: 64,
  handshakeTimeoutMs: 5_000,
  reconnectMinMs: 10,
  reconnectMaxMs: 100,
  refusedRetryMs: 2_000,
  pendingMembershipChanges: 64,
  forwardedMembershipChanges: 256,
  unknownRetryMs: 100,
  knockMs: 1_000,
  farewellMs: 600_000,
  pendingProposals: 65_536,
  pendingProposalBytes: 256 * 1024 * 1024,
  proposalSlots: 16_384,
  proposalsPerTurn: 4_096,
  rememberedRefusals: 4_096,
  pendingReads: 262_144,
  readRounds: 16,
  sweepMs: 50,
  snapshotChunkBytes: 256 * 1024,
  snapshotWindowChunks: 8,
  snapshotSends: 4,
  snapshotStallMs: 30_000,
  snapshotResumeMs: 30_000,
  snapshotRetryMs: 200,
  snapshotDamages: 2,
  snapshotVersionRetryMinMs: 2_000,
  snapshotVersionRetryMaxMs: 60_000,
  snapshotReadFailures: 3,
  unansweredHeartbeats: 64,
});
