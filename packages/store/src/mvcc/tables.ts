/** The tables of the database, in the order in which its storage is opened. */
export const storageTables: readonly string[] = ['meta', 'latest', 'history', 'events', 'buckets', 'system'];

export const Table = {
  /** What is true of the whole: applied index, revision, compaction. */
  META: 0,
  /** User key → the latest version of it. A range at the latest revision reads nothing else. */
  LATEST: 1,
  /** User key and revision → a version that was replaced or deleted, and when. */
  HISTORY: 2,
  /** Revision → what changed there, in chunks. Versions are looked up; an event says only where. */
  EVENTS: 3,
  /** First key of a bucket → how many keys it holds. */
  BUCKETS: 4,
  /** What is not a key of a client: leases, users, sessions, alarms, members; see `system/`. */
  SYSTEM: 5,
} as const;
