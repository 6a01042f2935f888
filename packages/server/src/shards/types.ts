import type { NodeId } from '@flotilla/raft';
import type {
  CommittedOutcome,
  Frontier,
  OrderEffect,
  OrderEntry,
  OrderMachine,
  PrepareEntry,
  RefusalReason,
  RequestEntry,
  RequestOrigin,
  ShardAnswer,
  ShardEffect,
  ShardEntry,
  ShardId,
  ShardMachine,
} from '@flotilla/store';

/** One shard as this node has it. Shard 0 is the order group's own. */
export interface NodeShard {
  readonly shard: ShardId;
  /** Another one after a snapshot: never to be kept over a turn. */
  readonly machine: ShardMachine;
  /** False while a snapshot is on its way: nothing can be read of it. */
  readonly isReady: boolean;
  /** Whether this node leads it, as far as it knows. */
  readonly leads: boolean;
}

/** What became of a request, or of one participant's part of a transaction. */
export type SubmitReply =
  | { readonly kind: 'answer'; readonly answer: ShardAnswer }
  /** The transaction is committed, and this is what the shard remembers of it. */
  | { readonly kind: 'part'; readonly outcome: CommittedOutcome }
  /** Of a Prepare: the order has decided against this transaction. It can be tried again under another id. */
  | { readonly kind: 'aborted' }
  /** Nothing was done by this copy. `epoch` and `barrier`: look at the map again, and send it where it belongs now. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason };

/** What became of a request of the order group: `result` is for the client. */
export type AdministerReply =
  | { readonly kind: 'answer'; readonly answer: ShardAnswer }
  | { readonly kind: 'refused'; readonly reason: 'finished' | 'session-expired' };

/** An entry of the order's log is applied at this node; `order` is as it is after it. */
export interface OrderApplied {
  readonly order: OrderMachine;
  /** Null: it is none of the order's own, but one of users, alarms or members. */
  readonly entry: OrderEntry | null;
  readonly index: number;
  readonly effects: readonly OrderEffect[];
}

/** An entry of a shard's log is applied at this node. */
export interface ShardApplied {
  readonly shard: ShardId;
  readonly machine: ShardMachine;
  readonly entry: ShardEntry;
  readonly effects: readonly ShardEffect[];
}

/** Answers what another node asks. What it throws is told to that one, as text. */
export type NodeHandler = (body: Uint8Array, from: NodeId) => Uint8Array | Promise<Uint8Array>;

/** How long a caller waits. */
export interface Patience {
  readonly timeoutMs: number;
}

/**
 * All shards of this node, as requests, reads and watches use them. Everything rejects with `FLOTILLA_STOPPED` when the
 * member stops.
 *
 * @example
 * const { index, revision } = await node.frontier({ timeoutMs: 5_000 });
 * const reply = await node.submit(row.shard, { kind: 'request', origin, user, range: row.range, write, absent: [] }, patience);
 */
export interface ShardNode {
  readonly nodeId: NodeId;
  /** This node's own copy of the order; null: the cluster is not sharded yet, as far as it has applied. */
  readonly order: OrderMachine | null;
  /** Null: this node has no replica of it. */
  replica(shard: ShardId): NodeShard | null;
  /** Every replica of this node, shard 0 among them. */
  replicas(): Iterable<NodeShard>;

  /**
   * How far the order had come after the call; this node's own order has come as far. Calls of one turn share one round.
   * Rejects as `Group.readBarrier` does.
   */
  frontier(patience: Patience): Promise<Frontier>;
  /**
   * Has a shard log an entry, and tells what became of it. Here, if this node has a replica; otherwise at one that has.
   * Registers leases of the entry's puts first. A resend is safe at any node, and after a rejection
   * (`FLOTILLA_PROPOSAL_TIMEOUT`: nobody knows what became of it; `FLOTILLA_SHARD_UNREACHABLE`: nobody that has a replica
   * could be asked) the only way to know.
   */
  submit(shard: ShardId, entry: RequestEntry | PrepareEntry, patience: Patience): Promise<SubmitReply>;
  /** Any other entry, without an answer: a barrier, for one. Resolves when it was applied by whoever logged it. */
  log(shard: ShardId, entry: ShardEntry, patience: Patience): Promise<void>;
  /** What a shard remembers of a transaction that is committed. Null: nothing, or not yet. */
  recall(
    shard: ShardId,
    origin: Pick<RequestOrigin, 'session' | 'request'>,
    patience: Patience,
  ): Promise<CommittedOutcome | null>;

  /** Has the order group log an entry. Resolves when this node has applied it. */
  propose(entry: OrderEntry, patience: Patience): Promise<void>;
  /** A request of the order group. A compaction is answered when every shard has heard of it (rule 16). */
  administer(
    entry: OrderEntry & { readonly origin: RequestOrigin },
    patience: Patience,
  ): Promise<AdministerReply>;

  /**
   * Asks another node, or this one. Rejects with `FLOTILLA_PEER_CALL_FAILED`, `FLOTILLA_PEER_CALL_UNKNOWN` (it does not
   * know the path) or `FLOTILLA_STOPPED`.
   */
  ask(node: NodeId, path: string, body: Uint8Array, patience: Patience): Promise<Uint8Array>;
  /** Whether it was heard of a moment ago, as Raft sees it. */
  hears(node: number): boolean;
  /** From now on `handler` answers what is asked under `path`. A path has one handler. */
  handle(path: string, handler: NodeHandler): void;
  /** Nodes that have a replica of a shard, in the order in which they should be asked: this one, the leader's, live ones. */
  nodesOf(shard: ShardId): readonly NodeId[];

  /** Called in the middle of applying, for each entry in order: keep it short. The answer unsubscribes. */
  onOrder(listener: (applied: OrderApplied) => void): () => void;
  onApplied(listener: (applied: ShardApplied) => void): () => void;
  /** Replicas came or went, or their state was replaced by a snapshot. */
  onReplicas(listener: () => void): () => void;
}
