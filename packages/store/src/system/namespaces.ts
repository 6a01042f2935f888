/** The first byte of each key of the system table: who owns what follows. Stored; a number is never used again. */
export const Namespace = {
  /** Lease id → what was granted. */
  LEASE: 1,
  /** Lease id and user key → nothing: the keys that go with a lease. */
  LEASE_KEY: 2,
  /** Whether auth is on, and its revision. */
  AUTH: 3,
  USER: 4,
  ROLE: 5,
  /** Client session → the replies that it may ask for again. */
  SESSION: 6,
  ALARM: 7,
  /** Member id → name, peer URLs and the like, once members have been added or removed. */
  MEMBER: 8,
  /** What is true of the cluster as a whole. */
  CLUSTER: 9,
  /** Of a sharded cluster: everything that its order is made of, see `order/order-parts.ts`. */
  ORDER: 11,
  /**
   * Shard → its own records, of all shards but 0: what {@link LEASE_KEY} is there. Above all others, which are group 0's.
   */
  SHARD: 254,
} as const;

export type Namespace = (typeof Namespace)[keyof typeof Namespace];
