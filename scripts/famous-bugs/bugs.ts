/** A bug that another implementation of Raft has shipped, or shows on purpose, brought about in our code. */
export interface FamousBug {
  /** What `--only` takes. */
  readonly id: string;
  readonly name: string;
  readonly source: { readonly name: string; readonly url: string };
  /** What it was there. */
  readonly there: string;
  /** The mutation that brings it about here, by its title in the registry: `4 counts a repeated vote response again`. */
  readonly mutation: string;
  /** What that changes. */
  readonly here: string;
  /** How the shrunk run comes to its end, and what breaks in the world when that happens. */
  readonly explanation: string;
  /** How many seeds after the first that fails are tried for one that fails sooner, and so has less to tell. */
  readonly seedsForShortest: number;
}

const goraft = { name: 'eatonphil/goraft', url: 'https://github.com/eatonphil/goraft' } as const;

export const famousBugs: readonly FamousBug[] = [
  {
    id: 'coyote-duplicate-vote',
    name: 'A vote is counted as often as it is heard',
    source: {
      name: "Coyote's Raft sample",
      url: 'https://github.com/microsoft/coyote/tree/main/Samples/CloudMessaging',
    },
    there:
      'Now and then a request for a vote is delivered twice, the follower answers twice, and the candidate counts answers. The sample has the bug on purpose, for Coyote to find.',
    mutation: '4 counts a repeated vote response again',
    here: 'The map from voters to votes gives a repeated answer to somebody who has not voted yet.',
    explanation:
      'One vote reaches the candidate twice and counts for two, so it leads with the votes of a minority. The others are free to elect another leader in the same term, and two leaders commit different entries at one index.',
    seedsForShortest: 1_500,
  },
  {
    id: 'goraft-figure-8',
    name: 'Entries of earlier terms are committed by counting',
    source: goraft,
    there:
      'The leader commits the last index that a majority has, whatever the term of the entry there (figure 8 of the paper).',
    mutation: '7 commits entries of earlier terms by counting',
    here: 'The line of `maybeCommit` that compares the term of the entry with the present one is left out.',
    explanation:
      'A leader copies an entry of an earlier term to a majority, counts, and commits it. But a member that was not part of that majority ends with an entry of a later term, so it wins the next election against the very members that have the committed one, and replaces it: what a client was told to be written is gone.',
    seedsForShortest: 3_000,
  },
  {
    id: 'goraft-late-reply',
    name: 'A late reply overwrites the match index',
    source: goraft,
    there:
      'Whatever reply comes last sets `nextIndex` and `matchIndex`; what is compared is the term of the reply with that of its request, not with the present.',
    mutation: '13 takes match and next index from whichever answer comes last (goraft)',
    here: '`Progress.maybeUpdate` takes a smaller index for news, too, and moves the next index back with it. (That a reply of an earlier leadership counts is a mutation of its own, `13 takes an append response of an earlier leadership`, for which a script is played: it is too rare for a search.)',
    explanation:
      'Two answers of one follower change places on the way. The leader believes the one that comes last, so what it knows of that follower goes back, and with it the place from which it sends: what follows is sent again, answered again, and may be overtaken again. The monitor notices with the first step back; unnoticed, repeats and answers chase each other until the follower never gets the last write (I14).',
    seedsForShortest: 0,
  },
  {
    id: 'goraft-commit-bound',
    name: 'A follower commits up to the end of its log',
    source: goraft,
    there:
      'A follower takes the smaller of the leader’s commit index and its own last index; the paper says: of the last *new* entry. Its leader takes one off `nextIndex` for every refusal, however late.',
    mutation: '9 commits to the end of its log, under a leader that backs up by one (goraft)',
    here: '`handleAppend` bounds the commit index by the end of the log. Our own leader finds the place where two logs part and never sends an append that ends before it, so the bug sleeps; goraft’s way of backing up is patched in, too, and does no harm alone.',
    explanation:
      'A late refusal makes the leader back up beyond the place where the logs part, and with one entry to a message its next append ends before that place: everything in it is there already, so nothing is truncated. It carries a commit index beyond its last entry, and the follower commits what follows in its own log: entries of a leader that was deposed, where the others have committed something else.',
    seedsForShortest: 3_000,
  },
  {
    id: 'hashicorp-695',
    name: 'A heartbeat deposes a leader in the middle of what it does',
    source: { name: 'hashicorp/raft #695', url: 'https://github.com/hashicorp/raft/issues/695' },
    there:
      'Heartbeats are handled by another thread, so that they need not wait for the disk. One with a later term sets the current term and the role while the main thread is becoming leader or appending, and that goes on with the new term. Found by Antithesis in 2026.',
    mutation: '46 a heartbeat deposes a leader in the middle of its turn (hashicorp/raft #695)',
    here: 'A heartbeat of a later term sets term and role of a leader and leaves alone what it was about to do: the appends of its turn leave with the term of its successor.',
    explanation:
      'The old leader hears the new one’s heartbeat in the same turn in which it was about to replicate, and sends its own entries under the new term. Nobody can tell the two leaders apart any more: a follower would take the entries of whichever is heard last for those of the only leader of that term. Here the new leader itself hears of it, and an assertion ends the run.',
    seedsForShortest: 2_000,
  },
  {
    id: 'hashicorp-661',
    name: 'Term and vote are written one after the other',
    source: { name: 'hashicorp/raft #661', url: 'https://github.com/hashicorp/raft/issues/661' },
    there:
      'The term, the term of the vote and its candidate are three writes to the stable store; a crash between them leaves a mixture of old and new.',
    mutation: '2 writes term and vote in two records',
    here: 'The record of a new term has no vote in it; the vote follows in the next record, and promises leave with the first.',
    explanation:
      'A crash between the two records leaves the new term without the vote that was given in it, and the member votes once more in that term for somebody else. The monitor compares every vote that leaves a member with that member’s disk, so it needs neither the crash nor the second candidate to see it: the first election is enough.',
    seedsForShortest: 500,
  },
];
