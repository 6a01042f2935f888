/** A bug in the specification, which its own invariants must notice. */
export interface Mutant {
  readonly name: string;
  readonly find: string;
  readonly replace: string;
  /** It can only be seen with pre-votes. */
  readonly preVote?: true;
}

/** Bugs that real implementations have had; those of the code itself are in `mutations/`. */
export const mutants: readonly Mutant[] = [
  {
    name: 'a member votes twice in a term (I1, I2)',
    find: 'm.vote == candidate or (m.vote == Nobody and m.leader == Nobody)',
    replace: 'true',
  },
  {
    name: 'a member that steps down within its term forgets its vote (I1, I2)',
    find: 'vote: if (newTerm > m.term) Nobody else m.vote',
    replace: 'vote: Nobody',
  },
  {
    name: 'a candidate need not have what is committed (I6)',
    find: 'entryTerm > lastTerm(log) or (entryTerm == lastTerm(log) and index >= length(log))',
    replace: 'true',
  },
  {
    name: 'a late append truncates what it does not mention (I4, I5)',
    find: 'if (conflicts == Set()) log',
    replace: 'if (conflicts == Set()) log.slice(0, previous + length(entries))',
  },
  {
    name: 'a follower commits past the last entry of an append (I7, I8)',
    find: 'least(request.commit, lastNew)',
    replace: 'request.commit',
  },
  {
    name: 'an append is taken whatever is before it (I3)',
    find: 'matches(now.log, request.previousIndex, request.previousTerm)',
    replace: 'request.previousIndex <= length(now.log)',
  },
  {
    name: 'a pre-vote is taken for a vote (I1, I2)',
    find: 'if (m.role == "candidate") lead(counted, self) else stand(counted, self)',
    replace: 'lead(counted, self)',
    preVote: true,
  },
  {
    name: 'one member is a quorum (I1, I4)',
    find: '2 * size(those) > size(Servers)',
    replace: 'size(those) > 0',
  },
];

export function mutated(text: string, { name, find, replace }: Mutant): string {
  return replacedOnce(text, find, replace, name);
}

/** The specification of a group that is configured to ask who would vote for a member before it stands. */
export function withPreVotes(text: string): string {
  return replacedOnce(text, 'pure val PreVote = false', 'pure val PreVote = true', 'pre-votes');
}

function replacedOnce(text: string, find: string, replace: string, name: string): string {
  if (text.split(find).length !== 2)
    throw new Error(`«${name}»: what it replaces stands not once in raft.qnt`);
  return text.replace(find, () => replace);
}
