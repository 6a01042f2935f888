import { memberLives } from '../../packages/raft/src/host/member-life.ts';
import { progressStates } from '../../packages/raft/src/core/progress.ts';
import { roles } from '../../packages/raft/src/core/roles.ts';
import { leaseLives } from '../../packages/store/src/order/lease-life.ts';
import { nodeLives } from '../../packages/store/src/order/node-life.ts';
import { shardLives } from '../../packages/store/src/shard/shard-life.ts';
import { transactionLives } from '../../packages/store/src/shard/transaction-life.ts';
import type { TransitionTable, TransitionLiteral } from '../../packages/raft/src/core/transition-table.ts';

/** A transition table with what a reader of its diagram wants to know. */
export interface DocumentedTable {
  /** Of its files in `docs/state-machines`. */
  readonly file: string;
  readonly title: string;
  /** Where the literal stands, from the root of the repository. */
  readonly source: string;
  readonly table: Pick<TransitionTable<TransitionLiteral>, 'name' | 'states' | 'coverage' | 'toMermaid'>;
  readonly about: string;
  /** One sentence for every state. */
  readonly states: Readonly<Record<string, string>>;
  /** One sentence for every event. */
  readonly events: Readonly<Record<string, string>>;
}

type StatesOf<Table> = Table extends { readonly states: readonly (infer State extends string)[] }
  ? State
  : never;
type EventsOf<Table> = Table extends { fire(from: never, event: infer Event extends string): unknown }
  ? Event
  : never;

/** A state or an event without its sentence does not compile, and neither does a sentence about nothing. */
function documented<const Table extends DocumentedTable['table']>(
  entry: Omit<DocumentedTable, 'table' | 'states' | 'events'> & {
    readonly table: Table;
    readonly states: Readonly<Record<StatesOf<Table>, string>>;
    readonly events: Readonly<Record<EventsOf<Table>, string>>;
  },
): DocumentedTable {
  return entry;
}

/** Every transition table of the project: `npm run diagrams` draws them, and a test looks for any that is missing. */
export const tables: readonly DocumentedTable[] = [
  documented({
    file: 'role',
    title: 'Role of a member',
    source: 'packages/raft/src/core/roles.ts',
    table: roles,
    about:
      'What a member is in its group. Everybody starts, and starts again after every restart, as a follower. A ' +
      'candidacy begins with a pre-vote, which asks whether an election could be won and disturbs nobody, and only ' +
      'then raises the term. A leader never campaigns: it has to step down first, so that one member cannot lead in ' +
      'two terms without having noticed that the first is over.',
    states: {
      follower: 'Takes entries from the leader and votes, at most once in a term.',
      'pre-candidate': 'Asks whether it would be elected, without raising its term.',
      candidate: 'Has voted for itself in a new term, and asks the others for their votes.',
      leader: 'Takes proposals, replicates them and says what is committed.',
    },
    events: {
      'pre-campaign': 'An election time-out passed, or its host asked for a campaign: a pre-vote begins.',
      campaign: 'The pre-vote is won, or none is needed (a transfer of leadership): the term is raised.',
      win: 'A quorum has voted for it, every half of a joint configuration by itself.',
      lose: 'A quorum has refused.',
      'higher-term': 'Somebody is in a later term.',
      'leader-seen': 'A leader of this term has spoken.',
      'lose-quorum': 'No quorum was heard of for an election time-out: it falls silent.',
      restore: 'A snapshot came that takes the place of the log with which it campaigned.',
      removed: 'The configuration without it is in force.',
      resign: 'Its host cannot serve any more, as with a disk that has stalled.',
    },
  }),
  documented({
    file: 'progress',
    title: 'Progress of a follower, as its leader sees it',
    source: 'packages/raft/src/core/progress.ts',
    table: progressStates,
    about:
      'How a leader sends to one other member. It starts by probing for the place where the two logs agree, one ' +
      'message at a time; once that is found it pipelines within a window of messages and bytes; and a member that ' +
      'needs what the log no longer has gets a snapshot, and no entries until that has arrived or failed.',
    states: {
      probe: 'One append at a time, until an answer says where the logs agree.',
      replicate: 'Appends are pipelined; what is sent is taken to arrive.',
      snapshot: 'A snapshot is on its way, and nothing else is sent.',
    },
    events: {
      match: 'It has acknowledged an entry that the leader has too.',
      reject: 'Its log does not agree with what was sent.',
      unreachable: 'Messages to it were lost: what was sent is not taken to arrive any more.',
      'need-snapshot': 'The entries that it needs are compacted away.',
      'snapshot-sent': 'The snapshot was taken in; where the logs agree must be found out again.',
      'snapshot-failed': 'The snapshot was cut off, refused or damaged.',
    },
  }),
  documented({
    file: 'member-life',
    title: 'Life of a member in a group',
    source: 'packages/raft/src/host/member-life.ts',
    table: memberLives,
    about:
      'What a host makes of one group from its opening to its end. A member whose state is missing or is being ' +
      'replaced goes on voting and appending, because those promises are about its log; it answers no reads and ' +
      'applies nothing until it has a state again. Nothing leads back from being removed, failed or closed: the id ' +
      'of a removed member is never used again.',
    states: {
      opening: 'Its log and its state are looked up and compared.',
      serving: 'It has a state, applies entries to it and answers.',
      'awaiting-snapshot': 'It has no state that could be read, and asks its peers for one.',
      installing: 'A snapshot is taking the place of its state.',
      removed: 'The group goes on without it.',
      failed: 'Going on could lose data, or lie: every call is rejected.',
      closed: 'Its host was closed.',
    },
    events: {
      restored: 'Log and state fit together.',
      'state-missing': 'The state was lost or half replaced: a snapshot is needed.',
      'snapshot-begins': 'The first chunk of a snapshot is here, from the first sender or from another one.',
      installed: 'The snapshot is durable in the state machine and noted in the log.',
      'cut-off': 'The sender is gone, or the snapshot was damaged.',
      kept: 'The snapshot was refused, or cut off, before anything of the state was touched.',
      remove: 'It has applied a configuration without it, or was told by the others.',
      fail: 'A disk failed, the state machine threw, an assertion broke.',
      close: 'The host was closed.',
    },
  }),
  documented({
    file: 'shard-life',
    title: 'Life of a shard',
    source: 'packages/store/src/shard/shard-life.ts',
    table: shardLives,
    about:
      'What a shard is between two changes of its range. A change begins in the log of the shard, with a barrier that ' +
      'lets nothing new in, and it ends with what the order group says: so every replica, and everybody who reads at ' +
      'a revision, sees it at the same place.',
    states: {
      serving: 'Takes requests for its range.',
      draining: 'What was let in is numbered and decided; nothing new is let in.',
      retired: 'Its keys, and what it remembers, are a neighbour’s.',
    },
    events: {
      barrier: 'Its log has the barrier for a change.',
      widened: 'A neighbour that had drained has become part of it.',
      changed: 'It was split: the upper part is a new shard.',
      refused: 'The change made no sense any more. The version of the range moves all the same.',
      absorbed: 'It has become part of a neighbour.',
    },
  }),
  documented({
    file: 'transaction-life',
    title: 'Life of a transaction over several shards, in one of them',
    source: 'packages/store/src/shard/transaction-life.ts',
    table: transactionLives,
    about:
      'How one participant sees a transaction. It holds locks only while it is prepared, and what ends that is the ' +
      'decision in the order log, whoever has lost interest meanwhile. The decision may come before the Prepare, which ' +
      'then finds that all is over.',
    states: {
      unknown: 'No Prepare was taken in, and no decision.',
      waiting: 'Its Prepare waits for something that came before it.',
      prepared: 'It holds its locks and has voted.',
      over: 'It is decided.',
    },
    events: {
      prepare: 'It is evaluated, locked and voted for.',
      wait: 'A request that waits has the same keys, or a number is not known yet.',
      abort: 'It was decided to be none.',
      commit: 'It was decided: the chosen branch is carried out at its revision.',
      repeat: 'Another copy of its Prepare: the vote is the same.',
    },
  }),
  documented({
    file: 'lease-life',
    title: 'Life of a lease in the order group',
    source: 'packages/store/src/order/lease-life.ts',
    table: leaseLives,
    about:
      'A lease is granted and renewed in the order group; shards register it on their first use of it, so that later ' +
      'puts need nobody else. Its end is one revision in all of these shards.',
    states: {
      absent: 'Never granted, or gone. The same id granted again is another lease.',
      live: 'Shards may register it, and clients renew it.',
      revoking: 'Revoked or expired: no more shards may register it, and those that have are being asked.',
    },
    events: {
      grant: 'A client has asked for it.',
      renew: 'A client was heard of: its time begins again.',
      register: 'A shard wants to attach a key to it.',
      revoke: 'A client has asked for its end, or its time has run out.',
      'revoke-alone': 'No shard but the order group’s own has keys of it: it ends at once.',
      revoked: 'The transaction over its shards is decided.',
    },
  }),
  documented({
    file: 'node-life',
    title: 'Life of a node in a sharded cluster',
    source: 'packages/store/src/order/node-life.ts',
    table: nodeLives,
    about:
      'What the order group knows of a node, and what placement may do with it. A node leaves only when it has no ' +
      'replica, and none is wanted there; it can join again.',
    states: {
      unknown: 'The cluster has never heard of it.',
      joined: 'It has replicas, and may be given more.',
      draining: 'It is being emptied, and is given none.',
      left: 'It has no replica.',
    },
    events: {
      join: 'An operator has added it, or does not want it emptied any more.',
      drain: 'An operator wants its replicas to be elsewhere.',
      leave: 'It is empty, and goes.',
    },
  }),
];
