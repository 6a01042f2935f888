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
    name: 'careful-elections',
    difference:
      'A request for votes leaves when the term and the own vote are durable: a crash must not make it untrue. An own ' +
      'pre-vote, which promises nothing, counts at once. A leader that asks for votes leads no longer, whatever is ' +
      'left of its lease. Whoever refuses a vote tells what it knows to be committed. etcd sends requests before ' +
      'they are durable, counts an own pre-vote with its batch, waits for the lease, and tells nothing.',
    bridge:
      'Requests are sent with the batch that writes the vote, answers with the batch that gave them; ' +
      '`CoreConfig.replay` makes the core do the rest as etcd does.',
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
      'was removed, or for a learner that is far behind; a leader that votes no longer takes nothing new and hands ' +
      'over; a member that knows of no configuration asks for a snapshot. etcd puts an empty entry in the place of ' +
      'what it refuses, asks for less, and lets such a leader go on unless told otherwise.',
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
      'The core hears of a snapshot when its host has installed the data, so it takes it in any term, also when its ' +
      'log has all of it already, and when the member is not in its configuration any more.',
    bridge:
      'The host does not install one of an earlier term or without its member; from one that the log holds it takes ' +
      'the commit index only.',
  },
];
