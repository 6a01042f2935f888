/** Where we differ from etcd-io/raft on purpose, and how a replay of its scripts bridges the difference. */
export interface Exception {
  readonly name: string;
  /** What our core does otherwise, and why. */
  readonly difference: string;
  /** What the replay does, so that the rest of the script can be compared. */
  readonly bridge: string;
}

/**
 * The whole list. None of them leaves anything out of the comparison: every state, log, commit index and message of a
 * script is compared, whatever stands here.
 */
export const exceptions: readonly Exception[] = [
  {
    name: 'vote-requests-wait',
    difference:
      'A request for votes leaves when the term and the own vote are durable: a crash must not make it untrue. etcd ' +
      'sends it at once. Answers whose own batch writes nothing wait for earlier writes in the core; etcd hands them ' +
      'to the append thread.',
    bridge:
      'Requests are sent with the batch that writes the vote, answers belong to the batch that gave them.',
  },
  {
    name: 'applies-what-is-durable',
    difference:
      'The core hands out entries for applying when they are durable here, one batch at a time. etcd hands them out ' +
      'in the batch that writes them, and several batches at once with asynchronous writes.',
    bridge:
      'Batches are cut as etcd cuts them; each entry must have been handed out by the core, in order, when the ' +
      'batch is acknowledged, else the replay fails. Changes of membership take effect in between, as there.',
  },
  {
    name: 'stricter-membership',
    difference:
      'A change is refused, with a reason, before a commit in the own term, while another is pending, for an id that ' +
      'was removed, or for a learner that is far behind; a leader that is removed hands over. etcd puts an empty ' +
      'entry in the place of what it refuses, asks for less, and lets a removed leader go on unless told otherwise.',
    bridge: '`CoreConfig.replay` makes the core follow etcd, and leaves the empty entry.',
  },
  {
    name: 'forwarded-proposals-name-their-term',
    difference:
      'A leader takes a forwarded proposal only in the term that it names, and nobody sends one on: so whoever ' +
      'forwarded it knows when it can be tried again without being done twice.',
    bridge: 'Whoever receives one proposes it anew.',
  },
  {
    name: 'snapshots-are-installed-first',
    difference:
      'The core hears of a snapshot when its host has installed the data, so it takes it in any term, and also when ' +
      'its log has all of it already.',
    bridge:
      'The host does not install one of an earlier term; from one that the log holds it takes the commit index only.',
  },
];
