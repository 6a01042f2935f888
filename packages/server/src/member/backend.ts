import type {
  AlarmMember,
  RangeRequest,
  RangeResponse,
  ResponseHeader,
  TxnRequest,
  TxnResponse,
} from '@flotilla/wire';
import type { AnsweredKind, Answers, KeyValueHash, Origin, WatchHub } from '@flotilla/store';
import type { Access } from '../auth/access.ts';
import type { StateFigures } from '../metrics/member-metrics.ts';
import type { OutgoingSnapshot } from '../snapshot/outgoing-snapshot.ts';

/**
 * What the API edge asks of the member behind it. Requests and answers are bytes and plain data, so that the edge can
 * move to a thread of its own. Every rejection is an `RpcError`, with etcd's code and text.
 *
 * Headers of answers carry the revision only; {@link Backend.stamp} adds who answers, and in which term.
 */
export interface Backend {
  readonly settings: ApiSettings;
  readonly hasLeader: boolean;
  /** Whether every member understands a write that names its client's session. */
  readonly takesSessions: boolean;
  /** Called when a leader is found or lost. The answer unsubscribes. */
  onLeaderChange(listener: () => void): () => void;
  /** Called once when no leader has been known for `patienceMs`. The answer unsubscribes. */
  onLeaderLost(patienceMs: number, listener: () => void): () => void;

  stamp(header: ResponseHeader | null): ResponseHeader;
  status(): BackendStatus;
  /** For metrics: what is cheap is in {@link Backend.status}. */
  readonly figures: StateFigures;
  members(): readonly BackendMember[];
  /** It has everything and does not vote; most requests are none of its. */
  readonly isLearner: boolean;
  readonly reconfiguration: BackendReconfiguration;

  /**
   * Replicates a request as it came, and answers what applying it here answered. The bytes are copied. `not capable`
   * while a member of the cluster does not understand such a proposal.
   */
  write<Kind extends AnsweredKind>(kind: Kind, request: Uint8Array, origin: Origin): Promise<Answers[Kind]>;
  /** Whether the request is one of a session that was executed before, or will be refused: it adds nothing any more. */
  isSettled(origin: Origin): Promise<boolean>;
  /** After it, reads of local state see every write that was acknowledged before. */
  readBarrier(): Promise<void>;
  /** Throws when this member has no state to read: it waits for a snapshot. */
  requireState(): void;
  /** Whether the state has grown to its quota, by itself or with `moreBytes`. */
  overQuota(moreBytes: number): boolean;
  range(request: RangeRequest): Promise<RangeResponse>;
  /** A streamable range in pieces; only the last one has more than keys. */
  rangePieces(request: RangeRequest): AsyncIterable<RangeResponse>;
  readTxn(request: TxnRequest): TxnResponse | Promise<TxnResponse>;
  /** Resolves when what lies below the revision is gone from the storage. */
  compacted(revision: number): Promise<void>;
  readonly watches: WatchHub;
  readonly access: Access;
  readonly operations: BackendOperations;
  readonly leases: BackendLeases;
}

/** What this member knows of leases. Current after a read barrier, as everything that it has applied. */
export interface BackendLeases {
  /** Nothing shorter is granted. */
  readonly minimumTtlSeconds: number;
  /** A positive number that no lease has, for a client that leaves the choice to the server. */
  newId(): bigint;
  /** Through the log. Answers for how many seconds the lease is good from now on; 0: there is no such lease. */
  renew(id: bigint): Promise<number>;
  /** As the leader has it, if that can be asked. Null: there is no such lease. */
  timeOf(id: bigint): Promise<LeaseTime | null>;
  /** The keys that go with a lease, sorted. */
  keysOf(id: bigint): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
  /** The ids of all leases, in the order in which they would expire. */
  list(): readonly bigint[];
}

export interface LeaseTime {
  readonly grantedSeconds: number;
  readonly remainingMs: number;
}

/** What whoever runs a cluster asks of a member. */
export interface BackendOperations {
  /** Those that are up, by kind and member. */
  readonly alarms: readonly AlarmMember[];
  /** Makes known to all members that there is no space for a write. */
  raiseSpaceAlarm(): Promise<void>;
  /** The version that the members are to be replaced by, `3.6.0`; null: they are not. */
  readonly downgradeTarget: string | null;
  /** At a revision, 0: the newest. */
  hashKeyValues(revision: number): Promise<KeyValueHash>;
  hash(): Promise<number>;
  /** Makes a snapshot, lets it be used, and removes it. */
  snapshot(use: (snapshot: OutgoingSnapshot) => Promise<void>): Promise<void>;
}

export interface ApiSettings {
  readonly maxRequestBytes: number;
  readonly maxTransactionOperations: number;
  readonly electionTimeoutMs: number;
}

export interface BackendStatus {
  readonly memberId: bigint;
  /** 0: none known. */
  readonly leaderId: bigint;
  readonly term: number;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly isLearner: boolean;
  readonly storageBytes: number;
  readonly liveBytes: number;
  readonly quotaBytes: number;
}

export interface BackendMember {
  readonly memberId: bigint;
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

/** Changes who is in the cluster, and who leads it. Every rejection is an `RpcError`. */
export interface BackendReconfiguration {
  /** Answers the id of the new member. */
  add(peerUrls: readonly string[], isLearner: boolean, origin: Origin): Promise<bigint>;
  remove(memberId: bigint, origin: Origin): Promise<void>;
  update(memberId: bigint, peerUrls: readonly string[], origin: Origin): Promise<void>;
  promote(memberId: bigint, origin: Origin): Promise<void>;
  /** Resolves when that member is known here to lead. */
  moveLeader(memberId: bigint): Promise<void>;
}
