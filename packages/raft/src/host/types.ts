import type { Address, Platform } from '@flotilla/platform';
import type {
  Configuration,
  Entry,
  Index,
  MembershipChange,
  NodeId,
  RoleChange,
  SnapshotMeta,
  Term,
} from '../core/types.ts';
import type { LogOpener, LogStats } from '../log/types.ts';
import type { TransportFactory } from '../transport/types.ts';
import type { HostConfig } from './config.ts';
import type { MemberLifeState } from './member-life.ts';
import type { HostMetrics } from './metrics.ts';

/** Names a Raft group within a cluster. 0 is the first. */
export type GroupId = number;

/**
 * What a group replicates. A state machine that finds its state marked as being installed when it is opened has none: it
 * starts empty, with `applied` and `flushed` at 0, and the host has the log replayed if that is whole, or asks a peer for
 * a snapshot. Deterministic: equal entries in equal order give equal state and equal results on every
 * member. The host calls from one event loop, never re-entrantly.
 */
export interface StateMachine<Result> {
  /** The last entry whose effect is in the state (after {@link SnapshotSink.finish} the snapshot's). */
  readonly applied: { readonly index: Index; readonly term: Term };
  /**
   * Everything up to here survives a crash. Entries beyond it are replayed from the log at start, so the log is
   * never compacted past it.
   */
  readonly flushed: { readonly index: Index; readonly term: Term };
  /**
   * The snapshot that the durable state came from, as {@link StateMachine.install} was given it; null when it did not
   * come from one, or when it has flushed an entry after it. A crash between the end of an installed snapshot and its
   * log record leaves a state that is ahead of the log: only this tells it from a log that has lost what it held, and a
   * member with such a log does not start.
   */
  readonly installed: SnapshotMeta | null;
  /**
   * True: there is no state, although the log may be whole from its first entry, since the group's state did not begin
   * empty. A peer is asked for a snapshot. There is one, unless given.
   *
   * Asked again when an install was aborted: false then says that the state is as it was before, and the group goes on
   * with it. There is none then, unless given.
   */
  readonly stateMissing?: boolean;
  /**
   * Applies committed, locally durable entries in index order and answers one result per entry; no-op and
   * membership entries come too (their index must be recorded) and their results go nowhere. The host bounds the
   * batch. Throwing stops the member: a state machine that cannot apply an entry must not go on without it.
   */
  apply(entries: readonly Entry[]): readonly Result[];
  /**
   * Whether an entry has to wait for something that is not of this group, a neighbour's state for example. Nothing of the
   * group is applied from there on until {@link Group.resume} has the host ask again, or a snapshot has brought more than
   * the entry. Its log, its elections and its leadership go on, as do commits, compaction up to there, and snapshots of
   * the state as it is; reads that need the entry wait, and a leader refuses proposals when too much is appended and not
   * applied.
   *
   * Pure. Asked for every entry before it is given to {@link StateMachine.apply}; of those that do not come next
   * (`entry.index > applied.index + 1`) before the ones in front of them are applied: yes is right when in doubt, since
   * it is asked again when it is their turn, and only then does yes hold them. No entry is held, unless given.
   */
  holds?(entry: Entry): boolean;
  /**
   * Asked at the leader about a change of membership that is about to be appended, while every change before it is
   * applied here: so what the state machine checks against its own state is still true when the entry is applied, and
   * two callers cannot both be let in on what only one of them may have. Pure. False refuses the change with
   * `FLOTILLA_MEMBERSHIP_INVALID`. Any change is welcome, unless given.
   */
  admits?(change: MembershipChange): boolean;
  /** Pins a consistent view of the state as of `applied`, to be streamed while applying goes on. */
  snapshot(): SnapshotSource;
  /**
   * Prepares to replace the whole state. From here on until `finish` the stored state is marked as being installed,
   * and a member that finds the mark at start has no state and asks again.
   */
  install(meta: SnapshotMeta): Promise<SnapshotSink>;
}

/** A view of the state as of one entry, pinned while it is streamed. */
export interface SnapshotSource {
  readonly index: Index;
  readonly term: Term;
  /** Chunks of at most `limits.snapshotChunkBytes`. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Unpins the view. Idempotent. */
  release(): void;
}

/** Takes in a state that replaces the one that is there. */
export interface SnapshotSink {
  /**
   * The next chunk, in order. The promise holds the sender up. Rejecting with `FLOTILLA_SNAPSHOT_VERSION` refuses the
   * snapshot of a newer version: it is aborted, and the member goes on and asks again later. So does it with
   * `FLOTILLA_SNAPSHOT_BUSY`: there is no room for it yet. Any other error stops the member.
   */
  write(chunk: Uint8Array): Promise<void>;
  /** Resolves when the installed state is durable and live. */
  finish(): Promise<void>;
  /** Gives up; the state stays marked. */
  abort(): Promise<void>;
}

/** Where one member of a group stands. */
export interface GroupStatus {
  readonly id: NodeId;
  readonly term: Term;
  /** 0: none known. */
  readonly leader: NodeId;
  readonly role: RoleChange['role'];
  readonly commit: Index;
  readonly applied: Index;
  readonly lastIndex: Index;
  readonly configuration: Configuration;
  /** Why the host cannot serve (a failed disk, a damaged log), or null. */
  readonly failure: string | null;
  /**
   * Whether the state machine has a state. False while a snapshot is being installed, and after one was cut off until
   * the next is in: local state must not be read then, and {@link Group.readBarrier} waits.
   */
  readonly stateReady: boolean;
  /** Where this member stands in the table `memberLives`. */
  readonly life: MemberLifeState;
  /** An append to the log is outstanding for longer than `HostConfig.diskStallMs`: this member does not stand for leader. */
  readonly diskStalled: boolean;
  /** The entry that the state machine holds, see {@link StateMachine.holds}, and for how long; null: none. */
  readonly held: { readonly index: Index; readonly forMs: number } | null;
}

/** How long the caller waits. */
export interface ProposeOptions {
  /** Gives up after this long; what became of the proposal is then unknown. */
  readonly timeoutMs: number;
}

/** How a read is made linearizable, and how long the caller waits. */
export interface ReadOptions extends ProposeOptions {
  /**
   * `read-index` (the default): a quorum confirms the leader. `lease`: a leader that holds a lease answers without a
   * round trip; safe only while clocks run at rates within `HostConfig.leaseDriftFraction` of each other, and only when
   * `HostConfig.leases` is set at every member. Anybody else falls back to `read-index`.
   */
  readonly policy?: 'read-index' | 'lease';
}

/** What a change of membership came to. */
export interface MembershipOutcome {
  /** The entry that made it; the joint configuration, when there was one, is left already. */
  readonly index: Index;
  readonly configuration: Configuration;
}

/** One replica of a group, as the rest of the member uses it. */
export interface Group<Result> {
  readonly id: GroupId;
  /**
   * Replicates `payload` and answers what the state machine answered here, at this member, when it was applied.
   *
   * A proposal is applied at most once. It goes to the leader (forwarded once when that is elsewhere) under the
   * leader's term; when this member applies an entry of a later term first, the proposal is lost for sure and the
   * host proposes it again, until the time-out.
   *
   * Rejects with `FLOTILLA_PROPOSAL_TIMEOUT` (outcome unknown), `FLOTILLA_PROPOSAL_UNKNOWN` (this member's state
   * jumped to a snapshot that may or may not contain it: outcome unknown), `FLOTILLA_PROPOSAL_TOO_LARGE`,
   * `FLOTILLA_TOO_MANY_PROPOSALS` (a bound is full: nothing was proposed), `FLOTILLA_NO_LEADER` (no leader
   * within the time-out: nothing was proposed), `FLOTILLA_TRANSFERRING` (leadership was being handed over until the
   * time-out: nothing was proposed), `FLOTILLA_PEER_REMOVED` (this member was removed from the group: outcome unknown)
   * or `FLOTILLA_STOPPED` (outcome unknown).
   */
  propose(payload: Uint8Array, options: ProposeOptions): Promise<Result>;
  /**
   * Resolves when this member's state is at least as new as every write that was acknowledged before the call:
   * a read of local state is linearizable then. All callers of one turn share a ReadIndex.
   * Rejects with `FLOTILLA_NO_LEADER`, `FLOTILLA_READ_TIMEOUT`, `FLOTILLA_TOO_MANY_READS` or `FLOTILLA_STOPPED`.
   */
  readBarrier(options: ReadOptions): Promise<void>;
  /**
   * Changes who takes part, by joint consensus when more than one member changes. Callable at any member: it goes to the
   * leader as proposals do. Resolves when the change is applied here and an automatic joint configuration is left again;
   * at a leader that it removes, when enough of the others know of it for them to go on without this member, which must
   * not be switched off before. `change.context` reaches every state machine with the entry.
   *
   * Rejects at once with `FLOTILLA_MEMBERSHIP_PENDING` (another change is on its way), `FLOTILLA_MEMBERSHIP_INVALID`,
   * `FLOTILLA_MEMBERSHIP_ID_REUSED` or `FLOTILLA_LEARNER_BEHIND`; after the time-out, when nothing was changed, with
   * `FLOTILLA_TERM_NOT_COMMITTED`, `FLOTILLA_TRANSFERRING` or `FLOTILLA_NO_LEADER`, else with
   * `FLOTILLA_PROPOSAL_TIMEOUT` (outcome unknown); with `FLOTILLA_PROPOSAL_UNKNOWN`, `FLOTILLA_PEER_REMOVED` and
   * `FLOTILLA_STOPPED` as {@link Group.propose}.
   *
   * @example
   * await group.changeMembership(
   *   { steps: [{ operation: 'add-learner', id: 4 }], transition: 'auto', context },
   *   { timeoutMs: 5_000 },
   * );
   */
  changeMembership(change: MembershipChange, options: ProposeOptions): Promise<MembershipOutcome>;
  /**
   * Hands leadership to that voter; null, at the leader only: to the other voter that has most of its log. Resolves when
   * `to` (or, for null, anybody else) is known here to lead. The leader takes no proposals meanwhile, for an election
   * time-out at most.
   *
   * Rejects with `FLOTILLA_TRANSFER_TIMEOUT`, `FLOTILLA_TRANSFER_TARGET` (not a voter, or nobody to take over),
   * `FLOTILLA_NOT_LEADER` (null, and this member does not lead), `FLOTILLA_PEER_REMOVED` or `FLOTILLA_STOPPED`.
   */
  transferLeadership(to: NodeId | null, options: ProposeOptions): Promise<void>;
  /** Stands for leader now, instead of when an election time-out has passed. */
  campaign(): void;
  /** A leader steps down, and does not stand again for an election time-out. */
  resign(): void;
  /** A follower forgets who leads, and may vote for another at once. */
  forgetLeader(): void;
  /** What {@link StateMachine.holds} waited for may have come: it is asked again. Harmless when nothing is held. */
  resume(): void;
  /**
   * While an entry is held: asks a peer, the leader if it can be reached, for a snapshot from that entry on, which
   * replaces the state. Whoever has none does not answer: to be called again. Harmless when nothing is held.
   */
  requestSnapshot(): void;
  /** Cheap: may be asked for as often as one likes. */
  status(): GroupStatus;
  /** Called on every change of role, term or known leader. The answer unsubscribes. */
  onRoleChange(listener: (change: RoleChange) => void): () => void;
  /**
   * Called once when this member learns that it was removed from the group: it has applied its own removal, or a member
   * that has said so. Every pending call is rejected with `FLOTILLA_PEER_REMOVED`. At once when that has happened already.
   */
  onRemoved(listener: () => void): void;
}

/** What {@link createHost} needs to know. */
export interface HostOptions {
  readonly platform: Platform;
  /** From 1 to 2^32 - 1, and never used again by another member of this cluster. */
  readonly nodeId: NodeId;
  /** An unsigned 64-bit number: members of other clusters are refused. */
  readonly clusterId: bigint;
  /** Holds the log and nothing else; created when it is not there. One host at a time. */
  readonly directory: string;
  /** Where each member listens; this one may be among them. */
  readonly peers: ReadonlyMap<NodeId, Address>;
  readonly listen: Address;
  /**
   * How bytes travel between members: `tcp()` unless given, `tls({ … })`, or your own. Every member of a cluster must
   * use the same.
   */
  readonly transport?: TransportFactory;
  /** Opens the log that keeps every promise of this member: the segmented log of this package unless given. */
  readonly openLog?: LogOpener;
  readonly config?: HostConfig;
  /**
   * Unlike in any other life of this member, below 2^48. From `nextIncarnation` unless given. One that was used
   * before can answer a proposal with the result of another.
   */
  readonly incarnation?: number;
  /**
   * An unsigned 64-bit number of this member's data, chosen when the data was made. With {@link HostOptions.instanceOf}
   * a member that comes back without its data, and without its votes, is kept out: it stops.
   */
  readonly instance?: bigint;
  /**
   * The instance that a peer is known by; null: none is known yet, and the one that it comes with first counts from then
   * on, at this member. Cheap: asked at every heartbeat.
   * What it says is remembered in {@link HostOptions.directory} and counts from the next start on before the owner,
   * who may have entries to apply again, knows it himself.
   */
  readonly instanceOf?: (peer: NodeId) => bigint | null;
  /**
   * Whether a member of the cluster that is not among the peers may connect. For one that joins: whoever leads by then
   * sends it the group's first snapshot, and may be a member that it was not told of. Any member of the cluster may, in any
   * case, while some group here hears of no leader: this member may be behind. One that turns out to be nobody's leader, and
   * in nobody's configuration, has to leave when a leader is heard.
   */
  readonly admits?: (peer: NodeId) => boolean;
}

/** What a host knows of one of its peers. */
export interface PeerStatus {
  readonly id: NodeId;
  readonly alive: boolean;
  /** Of the platform's clock: since when there has been a connection to it; null: there is none. */
  readonly connectedSinceMs: number | null;
  readonly incarnation: number;
  readonly queuedBytes: number;
  /** Over all connections with it. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

/** Where a host stands, with its peers, groups and log. */
export interface HostStatus {
  readonly nodeId: NodeId;
  readonly incarnation: number;
  /** Why the host has stopped, or null. */
  readonly failure: string | null;
  /** For how long the oldest append to the log has been outstanding. */
  readonly appendOutstandingMs: number;
  readonly peers: readonly PeerStatus[];
  readonly groups: readonly (GroupStatus & { readonly group: GroupId })[];
  readonly log: LogStats;
}

/** What {@link Host.openGroup} needs to know. */
export interface GroupOptions<Result> {
  readonly id: GroupId;
  readonly stateMachine: StateMachine<Result>;
  /**
   * In force until the log says otherwise. Equal at every member that the group began with, and at every start until the
   * first compaction. Without members (`emptyConfiguration`) at one that joins later: it takes part as soon as a member
   * has sent it a snapshot, and the configuration with it.
   */
  readonly initialConfiguration: Configuration;
  /**
   * Members that were removed may be added again, as new ones: they come back without the log that they left with. False
   * unless given. True only where a member that leaves goes through {@link Host.removeGroup}, and comes back through
   * {@link Host.readmitGroup}: what it has promised as a member holds for whoever has not heard that it left.
   */
  readonly membersMayReturn?: boolean;
}

/**
 * Runs many Raft groups over one log and one connection per peer.
 *
 * @example
 * const host = await createHost({ platform, nodeId, clusterId, directory: 'data/raft', peers, listen });
 * const group = await host.openGroup({ id: 0, stateMachine, initialConfiguration });
 * const result = await group.propose(payload, { timeoutMs: 5_000 });
 */
export interface Host {
  /** Where it really listens. */
  readonly address: Address;
  readonly incarnation: number;
  readonly metrics: Readonly<HostMetrics>;
  /**
   * Rejects with `FLOTILLA_GROUP_EXISTS` when it is open already, `FLOTILLA_GROUP_REMOVED` when it was removed here and
   * not readmitted, and `FLOTILLA_STOPPED`.
   */
  openGroup<Result>(options: GroupOptions<Result>): Promise<Group<Result>>;
  /**
   * This member's replica of a group is gone for good: every pending call is rejected with `FLOTILLA_GROUP_REMOVED`, the
   * state machine is let go of, and the log lets go of the entries. Resolves when all that is durable; what the state
   * machine keeps may go then. Only for a member that knows that it was removed from the group, or a group that is over.
   * Messages for the group that come later go nowhere. Idempotent.
   *
   * That the group was here is remembered: an older state of the state machine, back after a crash, must not make a new
   * member of this one. So are its term, its vote, and where its log ended.
   */
  removeGroup(id: GroupId): Promise<void>;
  /**
   * The removed group may be opened again, without state: no trace of it is in any state machine. It goes on with the term
   * and the vote that it left with, and votes for nobody who lacks what its log held then: a member that has not heard
   * that it left, and asks for its vote, would else lead without entries that its former acknowledgement committed.
   */
  readmitGroup(id: GroupId): Promise<void>;
  /** The removed group is over, everywhere, and need not be remembered: it is never opened again. */
  forgetGroup(id: GroupId): Promise<void>;
  /** Groups that were removed here, in this life or another, and neither readmitted nor forgotten. */
  readonly removedGroups: readonly GroupId[];
  /** Looks at every group. */
  status(): HostStatus;
  /** Whether it is connected and was heard of a moment ago. */
  hears(peer: NodeId): boolean;
  /** Whether it is known by which data that peer is, from {@link HostOptions.instanceOf} or from having met it. */
  knows(peer: NodeId): boolean;
  /**
   * Says where a member listens, from now on. Dials it, or expects it to dial; one that listened elsewhere is hung up on
   * first. Whoever is no peer is refused with `FLOTILLA_PEER_UNKNOWN` and tries again, see {@link HostOptions.admits}.
   */
  setPeer(id: NodeId, address: Address): void;
  /**
   * Hangs up, drops what is queued, and gives up snapshots on their way. A member that some group here has removed, and
   * none has, is refused with `FLOTILLA_PEER_REMOVED` once every group of the log is open. Idempotent.
   */
  removePeer(id: NodeId): void;
  /**
   * To be called when {@link HostOptions.instanceOf} knows more than before: hangs up on whoever is connected with other
   * data, as `FLOTILLA_PEER_OTHER_INSTANCE`, and remembers the rest. The host does so by itself with its next heartbeat.
   */
  judgePeers(): void;
  /**
   * Whether the log is to take as little of the disk as possible, from now on: its tail is given up much earlier, and
   * followers that are behind get snapshots.
   */
  keepLogShort(short: boolean): void;
  /**
   * Called once, when the host stops because going on could lose data: a failed disk, a state machine that threw, a
   * broken assertion. Nothing is acknowledged any more, and every pending call has been rejected.
   */
  onFatal(listener: (error: Error) => void): void;
  /** Rejects every pending call with `FLOTILLA_STOPPED`, and lets go of the log and the port. Idempotent. */
  close(): Promise<void>;
}
