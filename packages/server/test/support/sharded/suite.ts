/** What is run again on a cluster of many shards that never keep still. */
export const suite: readonly string[] = [
  // (Those that matter most come first.)
  'packages/server/test/compatibility/differential.test.ts',
  'packages/server/test/compatibility/etcdctl.test.ts',
  'packages/server/test/compatibility/etcdctl-auth.test.ts',
  'packages/server/test/compatibility/bad-fields.test.ts',
  'packages/server/test/compatibility/bad-requests.test.ts',
  'packages/server/test/compatibility/gateway.test.ts',
  'packages/server/test/compatibility/python.test.ts',
  'packages/server/test/compatibility/etcd3.test.ts',
  'packages/server/test/compatibility/snapshot.test.ts',
  'packages/server/test/compatibility/operations.test.ts',
  'packages/server/test/compatibility/metrics.test.ts',
  'packages/server/test/compatibility/patroni.test.ts',
  'packages/server/test/auth.test.ts',
  'packages/server/test/auth-identity.test.ts',
  'packages/server/test/lease.test.ts',
  'packages/server/test/lock.test.ts',
  'packages/server/test/member.test.ts',
  'packages/server/test/sessions.test.ts',
  'packages/server/test/bench-scale.test.ts',
  'packages/client/test/behaviour.test.ts',
  'packages/client/test/coordination.test.ts',
  'packages/client/test/examples.test.ts',
  'packages/client/test/faults.test.ts',
];

/** Single tests of these files that are not, and why. */
export const leftOutTests: readonly (readonly [file: string, test: string, reason: string])[] = [
  [
    'packages/server/test/compatibility/metrics.test.ts',
    'say what every member has done, and who leads',
    'each member counts what its own replicas apply: that is not every write here (docs/metrics.md)',
  ],
  [
    'packages/server/test/compatibility/metrics.test.ts',
    'docs/metrics.md lists every metric, and no other',
    'its table is of a cluster that was never sharded',
  ],
  [
    'packages/server/test/compatibility/operations.test.ts',
    'at the quota one is raised that every member knows and etcdctl can disarm',
    'the quota is for what one member stores, which is not all keys here: who has the key is full, not who is asked',
  ],
  [
    'packages/server/test/member.test.ts',
    'says so, serves serializable reads, and goes on when a member is back',
    'stops two members of three: of five the others have a majority, and of fewer nobody has all keys to read',
  ],
  [
    'packages/server/test/member.test.ts',
    'at its quota a member refuses puts and takes deletions',
    'as of the quota above',
  ],
  [
    'packages/server/test/member.test.ts',
    'a member whose data directory was lost is stopped, the others go on',
    'the data directory of one member of three',
  ],
  [
    'packages/server/test/member.test.ts',
    'a member whose data directory was lost is kept out by one that has its log still to apply again',
    'the data directory of one member of three',
  ],
  [
    'packages/server/test/member.test.ts',
    'a transaction that only reads takes no revision and no log entry',
    'that nothing is logged is looked for in the log of group 0, which has splits and merges, too',
  ],
  [
    'packages/client/test/coordination.test.ts',
    'with Flotilla administration lists members, and can ask those instead',
    'of a cluster of one member',
  ],
  [
    'packages/client/test/coordination.test.ts',
    'with Flotilla administration asks one member for its state',
    'of a cluster of one member',
  ],
  [
    'packages/server/test/sessions.test.ts',
    'a number stands for one request, whatever its kind',
    'a client that breaks the rule of numbers, for keys of different shards, is not told: docs/sessions.md',
  ],
];

/** Files that look at terms, or at who leads. */
export const led: ReadonlySet<string> = new Set([
  'packages/server/test/compatibility/bad-fields.test.ts',
  'packages/server/test/compatibility/etcdctl.test.ts',
  'packages/server/test/compatibility/gateway.test.ts',
  'packages/server/test/compatibility/metrics.test.ts',
  'packages/server/test/compatibility/operations.test.ts',
  'packages/server/test/member.test.ts',
  'packages/server/test/sessions.test.ts',
]);

/** Files that look at times: of short leases, of changes of leader. */
export const timed: ReadonlySet<string> = new Set([
  'packages/server/test/compatibility/etcdctl.test.ts',
  'packages/server/test/compatibility/python.test.ts',
  'packages/server/test/lease.test.ts',
  'packages/server/test/lock.test.ts',
  'packages/client/test/coordination.test.ts',
]);

/** What is not, and why. */
export const leftOut: readonly (readonly [file: string, reason: string])[] = [
  ['packages/server/test/compatibility/bad-starts.test.ts', 'how a member starts, before there is a cluster'],
  [
    'packages/server/test/compatibility/etcdctl-members.test.ts',
    'a cluster of one that grows, member by member, as etcd lists them',
  ],
  ['packages/server/test/corruption.test.ts', 'changes the files of one member, which has all keys in them'],
  [
    'packages/server/test/membership.test.ts',
    'members are removed, and one is started as a cluster of its own',
  ],
  ['packages/server/test/discovery.test.ts', 'how members find each other, before there is a cluster'],
  ['packages/server/test/shards.test.ts, sharded-cluster.test.ts', 'make their own shards'],
  ['packages/server/test/bad-input-table.test.ts, errors-table.test.ts, bundle.test.ts', 'start no cluster'],
  ['packages/server/test/tls/', 'certificates, whatever the cluster is made of'],
  [
    'packages/server/test/process/',
    'processes that die: what is sharded of it is soak:transactions and the lab of shards',
  ],
];
