/** Versions of a shard's members and of its range: what an operation was decided on. */
export interface Epoch {
  readonly membership: number;
  readonly range: number;
}

/**
 * What placement asks a shard to do: one step each, of the kind that Raft's membership change has. It is refused by
 * {@link refusalOfOperation} when the shard has another epoch by then.
 */
export type Operation =
  | (Decided & { readonly kind: 'add-learner'; readonly node: number; readonly replaces: number | null })
  /** One joint change: the learner votes, and `removes` does not any more. */
  | (Decided & { readonly kind: 'promote'; readonly node: number; readonly removes: number | null })
  | (Decided & { readonly kind: 'remove'; readonly node: number })
  | (Decided & { readonly kind: 'transfer-leader'; readonly from: number; readonly to: number })
  /** Leaves a joint configuration that nobody has left. */
  | (Decided & { readonly kind: 'finish-change' })
  /** The shard's leader knows the key in the middle of its bytes, or of its load. */
  | (Decided & { readonly kind: 'split' })
  /** Its keys become part of those of its right neighbour. */
  | (Decided & { readonly kind: 'merge'; readonly into: number; readonly intoEpoch: Epoch });

export interface Decided {
  readonly shard: number;
  readonly epoch: Epoch;
  readonly reason: Reason;
}

export const operationKinds = [
  'add-learner',
  'promote',
  'remove',
  'transfer-leader',
  'finish-change',
  'split',
  'merge',
] as const satisfies readonly Operation['kind'][];

/** Why an operation is wanted. */
export const reasons = {
  'complete-move': 'the learner has caught up and takes the place of another replica',
  'complete-change': 'a joint configuration was not left',
  'drop-learner': 'the learner cannot catch up: its node is silent, draining or gone',
  'drop-surplus': 'the shard has more voters than its policy asks for',
  'replace-lost': 'a replica is on a node that is lost',
  'add-missing': 'the shard has fewer voters than its policy asks for',
  'leave-draining': 'the node is draining',
  'obey-labels': 'the node has not the labels that the policy asks for',
  'spread-zones': 'a zone has two replicas more than another',
  'yield-office': 'the leader is on a replica that is to go',
  'balance-replicas': 'the node has more replicas than its share',
  'balance-bytes': 'the node has more bytes than its share',
  'balance-leaders': 'the node has more leaders than its share',
  'balance-load': 'the node has more load than its share',
  'split-size': 'the shard has more bytes than the limit',
  'split-load': 'the shard has more load than the limit',
  'merge-small': 'the shard and its right neighbour are small and idle',
  'align-merge': 'the shard must be on the nodes of its right neighbour to be merged into it',
} as const;
export type Reason = keyof typeof reasons;
