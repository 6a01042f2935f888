/**
 * The vocabulary of the consensus core: inputs, effects, messages and what is durable. Terms are the Raft paper's;
 * the ordering rules that bind them are numbered in `SPEC.md`.
 */

declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** Safe integers. 0 is «none»: a term or index that nothing has. */
export type Term = Brand<number, 'Term'>;
/** The place of an entry in the log of a group, from 1. 0 stands before the first. */
export type Index = Brand<number, 'Index'>;
/** A member of a group. From 1; never reused, so that a late message can only mean the member that it names. */
export type NodeId = Brand<number, 'NodeId'>;
/** Numbers the durable writes of one core, from 1. */
export type WriteSequence = Brand<number, 'WriteSequence'>;
/** Chosen by whoever asked, to match answers to questions. Unique within one life of the node. */
export type Ref = Brand<number, 'Ref'>;

/** `command`: for the state machine. `no-op`: of a new leader. `membership`: a {@link MembershipChange}. */
export type EntryKind = 'command' | 'no-op' | 'membership';

/** One entry of the replicated log. */
export interface Entry {
  readonly term: Term;
  readonly index: Index;
  readonly kind: EntryKind;
  /** Owned by the log once proposed: nobody writes to these bytes again. */
  readonly payload: Uint8Array;
}

/**
 * Who votes. Joint when `votersOutgoing` is not empty: then a decision needs a majority of both sets.
 * All lists are sorted and hold no id twice.
 */
export interface Configuration {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  /** Voters of the outgoing set that become learners when the joint configuration is left. */
  readonly learnersNext: readonly NodeId[];
  /** The leader leaves the joint configuration by itself as soon as it is committed. */
  readonly autoLeave: boolean;
  /**
   * Ids that were members once and are refused for ever, in the order of their removal; the oldest are forgotten beyond
   * `maxRemovedIds`. A late message of a former member must not be taken for one of a new member of its id,
   * and a member that lost its votes must not come back under them.
   */
  readonly removed: readonly NodeId[];
}

/** What one step of a change does with its member. */
export type MembershipOperation =
  /** A new voter, or a learner that becomes one. */
  | 'add-voter'
  /** A new learner, or a voter that becomes one (demotion; by way of `learnersNext` when it leaves a joint half). */
  | 'add-learner'
  | 'remove'
  /** Changes nothing here: carries `context` to the state machines in order with the other changes. */
  | 'update';

/** One member of a {@link MembershipChange}. */
export interface MembershipStep {
  readonly operation: MembershipOperation;
  readonly id: NodeId;
}

/** What an entry of kind `membership` says. Applied when its entry is applied (§4.3 of the dissertation, as etcd does). */
export interface MembershipChange {
  /** All of them at once. None: leave the joint configuration. */
  readonly steps: readonly MembershipStep[];
  /**
   * `auto`: simple for one step, else joint, left by the leader. `implicit`: joint in any case, left
   * by the leader. `explicit`: joint, and left by a change without steps.
   */
  readonly transition: 'auto' | 'implicit' | 'explicit';
  /** Not read here: addresses and the like, for the state machines. */
  readonly context: Uint8Array;
}

/** Everything up to `index` is in the state machine, and `configuration` is the one in force there. */
export interface SnapshotMeta {
  readonly index: Index;
  readonly term: Term;
  readonly configuration: Configuration;
}

/** Durable in one record: a vote without its term, or a term without its vote, elects two leaders. */
export interface HardState {
  readonly term: Term;
  /** 0: no vote in this term. */
  readonly vote: NodeId;
  readonly commit: Index;
}

interface Addressed {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly term: Term;
}

/**
 * What cores say to each other. `session` numbers one stay of a member in a leader's configuration: an answer from
 * an earlier stay, or to an earlier leadership, counts for nothing.
 */
export type PeerMessage =
  | (Addressed & {
      readonly type: 'pre-vote' | 'vote';
      readonly lastIndex: Index;
      readonly lastTerm: Term;
      /** The election was asked for by the leader (transfer): stickiness does not apply. */
      readonly forced: boolean;
    })
  | (Addressed & {
      readonly type: 'pre-vote-response' | 'vote-response';
      readonly granted: boolean;
      /**
       * What the sender knows to be committed: true for anybody whose log has that entry. A candidate may be refused by
       * members that a change has taken the vote from, and not know that the change is committed.
       */
      readonly commit: Index;
      readonly commitTerm: Term;
    })
  | (Addressed & {
      readonly type: 'append';
      readonly session: number;
      readonly previousIndex: Index;
      readonly previousTerm: Term;
      readonly entries: readonly Entry[];
      readonly commit: Index;
      /** The highest priority among the voters that the leader has heard from. */
      readonly topPriority: number;
    })
  | (Addressed & {
      readonly type: 'append-response';
      readonly session: number;
      /**
       * Accepted: the last index known to match. Rejected: the `previousIndex` that was refused; 0, which every log
       * matches: the member knows of no configuration, and needs a snapshot.
       */
      readonly index: Index;
      readonly rejected: boolean;
      /** Rejected: the largest index at which the follower's log may agree with the leader's, and its term there. */
      readonly hintIndex: Index;
      readonly hintTerm: Term;
      /** The sender's commit index: tells an idle leader that nothing is left to say. */
      readonly commit: Index;
      /** The sender's, see `CoreConfig.priority`. */
      readonly priority: number;
    })
  | (Addressed & {
      readonly type: 'heartbeat';
      /** min(match, leader's commit): never more than the receiver is known to hold. */
      readonly commit: Index;
      /** The read that this round confirms; 0: none. Issued by the leader, never reused in its life. */
      readonly readSequence: number;
    })
  | (Addressed & { readonly type: 'heartbeat-response'; readonly readSequence: number })
  | (Addressed & {
      /**
       * Announces a snapshot. Its data travels beside it, by the host, which installs it only while
       * `snapshot.index` exceeds the commit index; this message is stepped after the data is in. A core that finds it
       * stale by then answers so and goes on from its own log; `applied` tells it how far the state machine is.
       */
      readonly type: 'install-snapshot';
      readonly session: number;
      readonly snapshot: SnapshotMeta;
    })
  | (Addressed & {
      /** Forwarded proposals. A leader takes them only in the very term that they name: see SPEC.md. */
      readonly type: 'propose';
      /** A membership change travels alone, encoded. */
      readonly kind: Exclude<EntryKind, 'no-op'>;
      readonly payloads: readonly Uint8Array[];
    })
  | (Addressed & {
      readonly type: 'read-index';
      readonly ref: Ref;
      /** A number of the asker's life, so that an answer to an earlier life is not taken for one to this. */
      readonly incarnation: number;
    })
  | (Addressed & {
      readonly type: 'read-index-response';
      readonly ref: Ref;
      readonly incarnation: number;
      readonly index: Index;
    })
  | (Addressed & { readonly type: 'transfer-leader'; readonly transferee: NodeId })
  | (Addressed & { readonly type: 'timeout-now' });

/** Everything that can happen to a core. */
export type Input =
  | { readonly type: 'tick' }
  | { readonly type: 'receive'; readonly message: PeerMessage }
  | { readonly type: 'propose'; readonly ref: Ref; readonly payload: Uint8Array }
  /** Settled as a proposal is. Only one change is on its way at a time. */
  | { readonly type: 'change-membership'; readonly ref: Ref; readonly change: MembershipChange }
  /**
   * `lease`: a leader whose lease holds (the host says so: it has the clock) answers at once. Anybody else treats it
   * as `read-index`, and so does a leader that has not committed in its term, or has told somebody to campaign: its
   * followers vote then whatever they promised.
   */
  | { readonly type: 'read'; readonly ref: Ref; readonly policy?: 'read-index' | 'lease' }
  | { readonly type: 'campaign' }
  /** A leader that cannot serve (its disk stalls) steps down, and does not campaign for an election time-out. */
  | { readonly type: 'resign' }
  /** Hands leadership to that voter; a follower passes the wish on to its leader. */
  | { readonly type: 'transfer'; readonly to: NodeId }
  /** A follower forgets who leads, and may vote for another at once. */
  | { readonly type: 'forget-leader' }
  /** Cumulative: every write up to this one is durable. */
  | { readonly type: 'persisted'; readonly upTo: WriteSequence }
  /**
   * Cumulative: the state machine has every entry up to this one. May exceed the batch that is outstanding, when a
   * snapshot was installed meanwhile.
   */
  | { readonly type: 'applied'; readonly upTo: Index }
  /** Answers a {@link LogRead}, with one entry at least. `compacted`: they are gone, a snapshot is needed. */
  | { readonly type: 'log-read'; readonly ref: Ref; readonly result: readonly Entry[] | 'compacted' }
  /** The host has shipped (or failed to ship) a snapshot that {@link Effects.sendSnapshot} asked for. */
  | { readonly type: 'snapshot-sent'; readonly to: NodeId; readonly ok: boolean }
  /** The log no longer holds entries up to `through.index`. */
  | { readonly type: 'compacted'; readonly through: SnapshotMeta }
  /** A message to this peer was lost for sure. */
  | { readonly type: 'unreachable'; readonly peer: NodeId }
  /**
   * Liveness, per pair of nodes. `leadsTerm` is the term in which that node says that it leads this group, or null.
   * Given when either changes; a reset connection counts as silence at once.
   */
  | { readonly type: 'peer-alive'; readonly peer: NodeId; readonly leadsTerm: Term | null }
  | { readonly type: 'peer-silent'; readonly peer: NodeId };

/** One atomic, checksummed log record: snapshot or truncation, then entries, then hard state. */
export interface Write {
  readonly sequence: WriteSequence;
  /** Entries from here on are replaced; null: nothing is truncated. */
  readonly truncateFrom: Index | null;
  readonly entries: readonly Entry[];
  readonly hardState: HardState | null;
  /** The log restarts after this snapshot, whose data the host has already installed. */
  readonly snapshot: SnapshotMeta | null;
  /**
   * False only when nothing but the commit index moved: it may ride with the next synced write, and `thenSend` is
   * empty.
   */
  readonly mustSync: boolean;
  /**
   * Released by `persisted(sequence)`: vote requests, and every answer to a vote or an append that depends on this
   * write. (Answers that depend on an earlier one only come in `send` once that is durable.)
   */
  readonly thenSend: readonly PeerMessage[];
}

/** Asks the host to read entries that are not in memory any more, and to answer with an input. */
export interface LogRead {
  readonly ref: Ref;
  readonly from: Index;
  /** Exclusive. */
  readonly to: Index;
  readonly maxBytes: number;
}

/** Asks the host to ship the state to a member that needs what the log no longer has. */
export interface SnapshotSend {
  readonly to: NodeId;
  readonly term: Term;
  readonly session: number;
  /** The snapshot to ship is the state machine's at this index or any later one. */
  readonly index: Index;
  /** How many messages of `send` were issued before it: keeps the order for replays. */
  readonly position: number;
}

/** Why nothing came of a proposal, a read or a change: nothing was done then. */
export type RefusalReason =
  /** No leader is known; ask again when one is. */
  | 'no-leader'
  /** Too many bytes are proposed and not committed: slow down. */
  | 'uncommitted-bytes'
  /** One payload over the limit. */
  | 'too-large'
  /** Leadership is being transferred away. */
  | 'transferring'
  /** A membership change: another one is not applied yet, here or in the joint configuration that it began. */
  | 'change-pending'
  /** A membership change before this leader has committed in its own term (the single-server bug of 2015). */
  | 'term-not-committed'
  /** A membership change that adds an id which was removed before. */
  | 'id-reused'
  /** A membership change that promotes a learner too far behind: it would count for commits before it can serve. */
  | 'learner-behind'
  /** A membership change that would leave no voter, removes a stranger, leaves a configuration that is not joint… */
  | 'invalid-change'
  /** A read at a leader that has not committed in its term yet, with too many waiting. */
  | 'not-ready';

/** What became of something that was asked of the core under a `ref`. */
export type Settlement =
  | { readonly type: 'appended'; readonly ref: Ref; readonly term: Term; readonly index: Index }
  /** Sent to the leader of `term`. Lost unless it is applied before the first entry of a later term. */
  | { readonly type: 'forwarded'; readonly ref: Ref; readonly term: Term; readonly to: NodeId }
  | { readonly type: 'readable'; readonly ref: Ref; readonly index: Index }
  /** The read was sent on to `to`, or this node was deposed: ask again when nothing comes. */
  | { readonly type: 'read-forwarded'; readonly ref: Ref; readonly to: NodeId }
  | { readonly type: 'refused'; readonly ref: Ref; readonly reason: RefusalReason };

/** See `roles`, the table of how one leads to another. */
export type Role = 'follower' | 'pre-candidate' | 'candidate' | 'leader';

/** What a member is now, and whom it follows. */
export interface RoleChange {
  readonly role: Role;
  readonly term: Term;
  /** 0: none known. */
  readonly leader: NodeId;
}

/** What the host has to do. A closed set: the host handles every field of every drain. */
export interface Effects {
  /** May leave now, before the write of the same drain. */
  readonly send: readonly PeerMessage[];
  /** At most one per drain. Writes are persisted in order. */
  readonly write: Write | null;
  /** Committed and locally durable, in order. One batch is outstanding at a time, until `applied`. */
  readonly apply: readonly Entry[];
  readonly readLog: readonly LogRead[];
  readonly sendSnapshot: readonly SnapshotSend[];
  readonly settle: readonly Settlement[];
  /** Set when role, term or leader changed since the last drain. */
  readonly role: RoleChange | null;
}

/** How one core behaves. Times are in ticks, sizes in bytes of payload. */
export interface CoreConfig {
  readonly id: NodeId;
  /** Unlike in any other life of this node; carried in read requests. */
  readonly incarnation: number;
  /** Ticks without a leader before an election; the time-out is drawn from [n, 2n). */
  readonly electionTicks: number;
  readonly heartbeatTicks: number;
  /** `peers`: heartbeats and silence are told by the host, per pair of nodes; `ticks`: by messages of this group. */
  readonly liveness: 'ticks' | 'peers';
  readonly preVote: boolean;
  readonly checkQuorum: boolean;
  /** Bounds; all in bytes or counts, see `limits.ts`. */
  readonly maxMessageBytes: number;
  readonly maxInflightMessages: number;
  /** 0: no bound. */
  readonly maxInflightBytes: number;
  readonly maxUncommittedBytes: number;
  readonly maxApplyBytes: number;
  readonly maxPayloadBytes: number;
  /** Entry bodies kept in memory beyond those that are not yet durable. */
  readonly maxCachedBytes: number;
  readonly maxPendingReads: number;
  /**
   * Sends an append per proposal and per commit at once, as etcd-io/raft does, rather than one for all that a drain
   * found. Only for replaying its scripts: costs throughput. False unless given.
   */
  readonly eagerBroadcast?: boolean;
  /**
   * Ids that were removed may be added again. False unless given: only for members that are certain to come back with
   * the log that they left with.
   */
  readonly reusableIds?: boolean;
  /** Only for replaying the scripts of etcd-io/raft. Absent: this core's own, stricter rules. */
  readonly replay?: ReplayOptions;
  /** Entries that a learner may lack when it is promoted; Infinity: any number. */
  readonly maxPromotionLagEntries: number;
  /**
   * What the state machine says of a change that is about to be appended, see `StateMachine.admits`. Pure, and asked
   * when every change before it is applied. Anything, unless given.
   */
  readonly admitsChange?: (change: MembershipChange) => boolean;
  /**
   * From 0 to 255; more is preferred. Time-outs of a member with less are longer, and a leader hands over to a voter
   * with more that has caught up. 0: never campaigns by itself, unless nobody else can win
   * because its log is the longest. Equal everywhere unless given.
   */
  readonly priority: number;
}

/**
 * Follows etcd-io/raft where this core is stricter on purpose. Given at all, changes of membership are checked as etcd
 * does: ids may come back, no own-term commit is asked for, learners are promoted at any lag, and a refused change
 * leaves an empty entry in the log.
 */
export interface ReplayOptions {
  /** `disable-conf-change-validation`: any change is appended; one that does not apply changes nothing. */
  readonly unvalidatedChanges?: boolean;
  /** `step-down-on-removal`. False, as etcd's default: a leader that is removed goes on until another one is elected. */
  readonly stepDownOnRemoval?: boolean;
  /** `read-only lease-based`: the quorum check is the lease, and `lease` reads need no word of the host. */
  readonly leaseByQuorumCheck?: boolean;
}

/** What the log gave back at start. */
export interface Restored {
  readonly hardState: HardState;
  /** Where the log begins: `index` and `term` of the last compacted entry, and the configuration there. */
  readonly snapshot: SnapshotMeta;
  /** Terms as runs, from `snapshot.index + 1`: each run goes up to the next one's `from`. */
  readonly termRuns: readonly { readonly from: Index; readonly term: Term }[];
  readonly lastIndex: Index;
  /** The state machine has everything up to here. At least `snapshot.index`. */
  readonly applied: Index;
  /**
   * Every configuration entry after the snapshot, in index order: those up to `applied` are in force; a member with
   * committed ones beyond does not campaign before it has applied them.
   */
  readonly membership: readonly Entry[];
  /**
   * Where an earlier log of this member in this group ended, which it has let go of since: what it promised with that
   * still counts. Null, or absent: there was none, or this log is as far.
   */
  readonly former?: LogEnd | null;
}

/** Of a log: its last entry. Terms count first, then lengths (§5.4.1 of the paper). */
export interface LogEnd {
  readonly term: Term;
  readonly index: Index;
}

/** What tests, invariants and metrics see. Cheap: the arrays and maps are the core's own, not to be written. */
export interface CoreView {
  readonly id: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId;
  readonly leader: NodeId;
  readonly commit: Index;
  readonly applied: Index;
  readonly firstIndex: Index;
  readonly lastIndex: Index;
  /** The last index that is durable here. */
  readonly durable: Index;
  readonly configuration: Configuration;
  /** It led when it lost its vote, and left office only when a majority of the others knew of that. */
  readonly retired: boolean;
  readonly progress: ReadonlyMap<NodeId, ProgressView>;
  readonly pendingReads: number;
  readonly uncommittedBytes: number;
  /** The configuration in force right after `index` was applied; null before the log's base and after `applied`. */
  configurationAt(index: Index): Configuration | null;
  /** The term of an entry in the log, of the snapshot's, or null. */
  termAt(index: Index): Term | null;
}

/** What a leader knows of one member. */
export interface ProgressView {
  readonly state: 'probe' | 'replicate' | 'snapshot';
  readonly match: Index;
  readonly next: Index;
  readonly active: boolean;
  readonly learner: boolean;
  readonly paused: boolean;
  /** Appends on the way, not yet answered. */
  readonly inflight: number;
  /** In state `snapshot`: the index that the snapshot has at least; else 0. */
  readonly pendingSnapshot: Index;
  readonly session: number;
}

/**
 * Consensus for one group as a pure state machine: `step` inputs, then `drain` effects. Synchronous and total: no
 * promise, clock, I/O or hidden randomness, so a seed replays it.
 *
 * @example
 * core.step({ type: 'propose', ref, payload });
 * const effects = core.drain();
 * // write effects.write, then core.step({ type: 'persisted', upTo: effects.write.sequence })
 */
export interface RaftCore {
  /** Takes in one thing that has happened. Its effects wait for {@link RaftCore.drain}. */
  step(input: Input): void;
  /** Everything since the last drain. */
  drain(): Effects;
  /** Whether a drain would give anything: lets a host with many groups drain only those that have work. */
  readonly ready: boolean;
  /** Whether this group needs `tick` inputs now. An idle group with a live leader does not (`liveness: 'peers'`). */
  readonly wantsTicks: boolean;
  /** A look inside, for tests, monitors and status pages. */
  inspect(): CoreView;
}
