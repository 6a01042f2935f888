import type { Configuration, NodeId } from './types.ts';

/** `pending`: votes that are still out decide. */
export type VoteResult = 'won' | 'lost' | 'pending';

/** What the quorum code needs to know about a member. */
interface Matched {
  readonly match: number;
}

/**
 * The largest index that a majority of every set of voters has: of both sets while the configuration is joint. An empty
 * set agrees to anything, which is what makes a joint configuration with one empty half behave like a simple one.
 */
export function committedIndex(configuration: Configuration, members: ReadonlyMap<NodeId, Matched>): number {
  return Math.min(
    majorityIndex(configuration.voters, members),
    majorityIndex(configuration.votersOutgoing, members),
  );
}

/** Whether `votes` win, lose or leave open an election among the voters: in both halves while joint. */
export function voteResult(configuration: Configuration, votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const incoming = majorityVote(configuration.voters, votes);
  const outgoing = majorityVote(configuration.votersOutgoing, votes);
  if (incoming === outgoing) return incoming;
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return 'pending';
}

export function isVoter(configuration: Configuration, id: NodeId): boolean {
  return configuration.voters.includes(id) || configuration.votersOutgoing.includes(id);
}

export function isSingleVoter(configuration: Configuration): boolean {
  return configuration.voters.length === 1 && configuration.votersOutgoing.length === 0;
}

/** Everybody who receives entries: voters of both halves and learners, sorted. */
export function membersOf(configuration: Configuration): readonly NodeId[] {
  const all = new Set([...configuration.voters, ...configuration.votersOutgoing, ...configuration.learners]);
  return [...all].sort((a, b) => a - b);
}

/** Voters of both halves, sorted. */
export function votersOf(configuration: Configuration): readonly NodeId[] {
  if (configuration.votersOutgoing.length === 0) return configuration.voters;
  const all = new Set([...configuration.voters, ...configuration.votersOutgoing]);
  return [...all].sort((a, b) => a - b);
}

/** More than half of a set of `size` voters. */
export function majority(size: number): number {
  return (size >> 1) + 1;
}

/** Reused on every call: the quorum is counted on each append response, and sets are small. */
const sorted: number[] = [];

function majorityIndex(voters: readonly NodeId[], members: ReadonlyMap<NodeId, Matched>): number {
  if (voters.length === 0) return Infinity;
  sorted.length = 0;
  for (const id of voters) {
    const match = members.get(id)?.match ?? 0;
    // Insertion sort, largest first.
    let at = sorted.length;
    while (at > 0 && (sorted[at - 1] as number) < match) {
      sorted[at] = sorted[at - 1] as number;
      at -= 1;
    }
    sorted[at] = match;
  }
  return sorted[majority(voters.length) - 1] as number;
}

function majorityVote(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let missing = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === undefined) missing += 1;
    else if (vote) granted += 1;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return granted + missing >= needed ? 'pending' : 'lost';
}
