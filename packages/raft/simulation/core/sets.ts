import type { Configuration, NodeId } from '@flotilla/raft';

/*
 * Who votes, counted anew: a monitor that shared the product's arithmetic would share its mistakes.
 */

/** Whether those who fit are more than half of the voters, in both halves of a joint configuration. */
export function isQuorum(configuration: Configuration, fits: (id: NodeId) => boolean): boolean {
  return (
    isMajority(configuration.voters, fits) &&
    (!isJointSet(configuration) || isMajority(configuration.votersOutgoing, fits))
  );
}

function isMajority(voters: readonly NodeId[], fits: (id: NodeId) => boolean): boolean {
  return 2 * voters.filter(fits).length > voters.length;
}

export function isJointSet({ votersOutgoing }: Configuration): boolean {
  return votersOutgoing.length > 0;
}

export function membersIn({ voters, votersOutgoing, learners }: Configuration): NodeId[] {
  return [...new Set([...voters, ...votersOutgoing, ...learners])].sort((a, b) => a - b);
}

export function votersIn({ voters, votersOutgoing }: Configuration): NodeId[] {
  return [...new Set([...voters, ...votersOutgoing])];
}

/**
 * Whether one configuration may follow another: at most one voter comes or goes; or the second is joint with the
 * first's voters as its old half; or it drops the old half of the first.
 */
export function mayFollow(before: Configuration, after: Configuration): boolean {
  if (isJointSet(before)) return !isJointSet(after) && isEqualSet(before.voters, after.voters);
  if (isJointSet(after)) return isEqualSet(before.voters, after.votersOutgoing);
  const came = after.voters.filter((id) => !before.voters.includes(id)).length;
  const went = before.voters.filter((id) => !after.voters.includes(id)).length;
  return came + went <= 1;
}

function isEqualSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
