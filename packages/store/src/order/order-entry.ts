import type { RequestUser } from '../proposal.ts';
import type { RequestOrigin, UnchangedOutcome, WrittenOutcome } from '../shard/request-memory.ts';
import type { Decision, RangeChange, ShardEffect, ShardEntry, ShardId } from '../shard/shard-entry.ts';
import type { WishKind } from './cluster-wishes.ts';

/** What a cut numbers of one shard: everything up to a seq. Cumulative, so that what comes twice does nothing. */
export interface Count {
  readonly shard: ShardId;
  readonly upTo: number;
}

/** As the order's leader proposes it: the revision follows from its place. */
export type ProposedDecision = Omit<Decision, 'revision'>;

/** A lease at one point of its life. */
export interface OrderedGeneration {
  readonly lease: bigint;
  readonly generation: number;
}

/** Where a node is, and what else placement may ask of it. */
export interface NodeTraits {
  /** Nodes of one zone may be lost together. Empty: nothing is known. */
  readonly zone: string;
  readonly labels: readonly NodeLabel[];
}

export interface NodeLabel {
  readonly name: string;
  readonly value: string;
}

export interface NodeEntry extends NodeTraits {
  readonly node: number;
}

/** A node may take replicas; is being emptied; has none and gets none. */
export type NodeState = 'joined' | 'draining' | 'left';

export type OrderEntry =
  /** The cluster is sharded from here on: shard 0 has every key, and all nodes have the order. */
  | { readonly kind: 'begin'; readonly nodes: readonly NodeEntry[] }
  /** Of the order group's own shard. */
  | { readonly kind: 'own'; readonly entry: ShardEntry }
  | {
      readonly kind: 'cut';
      readonly counts: readonly Count[];
      readonly decisions: readonly ProposedDecision[];
      /** How far shards have applied what was said to them: it need not be kept any more. */
      readonly logged: readonly { readonly shard: ShardId; readonly index: number }[];
    }
  /**
   * A shard has drained for this, at this version of its range. `nodes`: of the child of shard 0, which has a replica
   * on every node; any other child begins where its parent is. Of a merge: where the shard that drained has replicas.
   */
  | {
      readonly kind: 'range';
      readonly change: RangeChange;
      readonly range: number;
      readonly nodes: readonly number[];
    }
  | {
      readonly kind: 'members';
      readonly shard: ShardId;
      readonly membership: number;
      readonly nodes: readonly number[];
    }
  | {
      readonly kind: 'grant';
      readonly origin: RequestOrigin;
      readonly user: RequestUser | null;
      readonly lease: bigint;
      readonly ttl: number;
    }
  /** Clients of all these were heard of. */
  | { readonly kind: 'renew'; readonly leases: readonly bigint[] }
  | {
      readonly kind: 'revoke';
      readonly origin: RequestOrigin;
      readonly user: RequestUser | null;
      readonly lease: bigint;
    }
  /**
   * The leader of this term has seen the time of these generations run out. There is one in an entry: by its index the end
   * of a lease is known as a request, and a shard that had keys of two would have carried out one request twice.
   */
  | { readonly kind: 'expire'; readonly term: number; readonly leases: readonly OrderedGeneration[] }
  /** What is left of the time of leases, in seconds, so that the next leader does not begin anew. */
  | {
      readonly kind: 'checkpoint';
      readonly leases: readonly (OrderedGeneration & { readonly remaining: number })[];
    }
  | { readonly kind: 'register'; readonly lease: bigint; readonly shard: ShardId }
  /** Opened again under the same name it is the same session. `owner`: its user; empty: it has none. */
  | { readonly kind: 'open-session'; readonly name: string; readonly owner: string }
  | { readonly kind: 'expire-sessions'; readonly sessions: readonly number[] }
  | {
      readonly kind: 'compact';
      readonly origin: RequestOrigin;
      readonly user: RequestUser | null;
      readonly revision: number;
    }
  /** `configuration`, here and below: what the node or the shard was is known as of it. What changed since refuses this. */
  | ({ readonly kind: 'node'; readonly state: NodeState; readonly configuration: number } & NodeEntry)
  /** Which nodes should have a replica of a shard. Somebody has to see to it. */
  | {
      readonly kind: 'assign';
      readonly shard: ShardId;
      readonly nodes: readonly number[];
      readonly configuration: number;
    }
  /** See {@link WishKind}. Null: it is not wished any more. */
  | {
      readonly kind: 'wish';
      readonly wish: WishKind;
      readonly id: number;
      readonly value: number | null;
      readonly configuration: number;
    }
  /**
   * A shard shall begin at each of these keys, as soon as whoever controls shards gets to it, the last one first. They take
   * the place of those that were wanted before.
   */
  | {
      readonly kind: 'presplit';
      readonly keys: readonly Uint8Array[];
      readonly configuration: number;
    };

/** Why the cluster's configuration is not what an entry wanted. */
export type ConfigurationRefusal =
  /** What it is about has changed since the configuration that it names. */
  | 'stale'
  | 'no-such-shard'
  /** It is not said where, or the same node twice. */
  | 'bad-nodes'
  | 'unknown-node'
  | 'node-left'
  | 'node-draining'
  /** It cannot leave: a shard has a replica there, or should have one. */
  | 'node-in-use'
  /** The order group's own shard is on every node. */
  | 'order-shard'
  /** What is merged has no replicas beside most of those that shall take it over. */
  | 'not-beside'
  /** Shards that have no border in common cannot be merged. */
  | 'no-neighbours'
  /** A number that makes no sense. */
  | 'bad-value';

export type OrderEffect =
  /** `fresh` false: the cluster was sharded already. */
  | { readonly kind: 'begun'; readonly fresh: boolean }
  /** Of the order group's own shard. */
  | { readonly kind: 'shard'; readonly effect: ShardEffect }
  | { readonly kind: 'decided'; readonly decision: Decision }
  | {
      readonly kind: 'outcome';
      readonly origin: RequestOrigin;
      readonly outcome: WrittenOutcome | UnchangedOutcome;
    }
  | {
      readonly kind: 'refused';
      readonly origin: RequestOrigin;
      readonly reason: 'finished' | 'session-expired';
    }
  | { readonly kind: 'session-opened'; readonly name: string; readonly session: number }
  /** A session of this name has expired: it opens none again. */
  | { readonly kind: 'session-refused'; readonly name: string }
  | { readonly kind: 'lease-renewed'; readonly lease: bigint; readonly generation: number }
  | { readonly kind: 'lease-checkpointed'; readonly lease: bigint; readonly remaining: number }
  | { readonly kind: 'lease-removed'; readonly lease: bigint; readonly revision: number }
  /** The map, the nodes or what is wanted of them is another one. */
  | { readonly kind: 'configured'; readonly configuration: number }
  /** `configuration`: the one that is in force. */
  | {
      readonly kind: 'configuration-refused';
      readonly reason: ConfigurationRefusal;
      readonly configuration: number;
    };
