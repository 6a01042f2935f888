/** Every bound of the server, in one place. Times in milliseconds, sizes in bytes. */
export const limits = {
  /** `flotilla dev` plans at most this many members: more than nine voters only slow a cluster down. */
  developmentMembers: 9,
  /** How long a member may take to end before `dev` kills it. */
  memberStopMs: 5_000,
  /** Members and `dev` get the same Ctrl-C; whether one died by itself is judged this much later. */
  lastMemberEndedGraceMs: 500,
  /** `cluster.json` of a member; a cluster of hundreds fits. */
  clusterFileBytes: 1024 * 1024,
  /** How often retention by revisions is looked at; etcd's interval. */
  revisionCompactionMs: 300_000,
} as const;
