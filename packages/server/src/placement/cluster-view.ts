import type { Epoch, Operation } from './operation.ts';

/** A node as placement sees it. */
export interface NodeView {
  readonly id: number;
  /** Where it fails together with others: a zone, a rack, a room. */
  readonly zone: string;
  /** As `disk=ssd`. */
  readonly labels: readonly string[];
  /** `joining` takes nothing yet; `draining` gives everything away. */
  readonly life: NodeLife;
  /** Whether it is not heard of now, and since when it is, or is not. */
  readonly silent: boolean;
  readonly sinceMs: number;
  readonly capacityBytes: number;
  /** As the node measures it; what comes in is added by placement. */
  readonly usedBytes: number;
  /** Requests a second that it is made for, in the unit of the loads of shards. */
  readonly capacityLoad: number;
}

export const nodeLives = ['joining', 'serving', 'draining'] as const;
export type NodeLife = (typeof nodeLives)[number];

/** A shard as placement sees it. Its keys are nobody's business here: neighbours are given by id. */
export interface ShardView {
  readonly id: number;
  readonly left: number | null;
  readonly right: number | null;
  readonly epoch: Epoch;
  /** Place in the settings' list of policies. */
  readonly policy: number;
  readonly bytes: number;
  /** Requests a second, smoothed by whoever reports them. */
  readonly writes: number;
  readonly reads: number;
  /** One key carries the load: a split would not divide it. */
  readonly hotKey: boolean;
  /** Made by hand: never merged unasked. */
  readonly sticky: boolean;
  readonly replicas: readonly ReplicaView[];
  readonly leader: number | null;
  /** The replica that goes when the learner has taken its place. Kept with the shard, so that any controller goes on. */
  readonly replaces: number | null;
  /** Where its last moves took replicas away, the latest first: balance alone never brings one back there. */
  readonly movedFrom: readonly number[];
  /** Handed out and not yet seen in the shard's configuration. */
  readonly operation: Operation | null;
}

export interface ReplicaView {
  readonly node: number;
  readonly role: Role;
}

/** `joining` and `leaving`: voters of one half of a joint configuration. `learner` still catches up. */
export const roles = ['voter', 'learner', 'caught-up', 'joining', 'leaving'] as const;
export type Role = (typeof roles)[number];
